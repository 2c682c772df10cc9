// An int8 graph for tests of everything that moves int8 graphs about: a float graph with the scales that a
// few images of noise ask for. The accuracy of that is nobody's concern here.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet::testing {

namespace made_up {

/// Symmetric weights in [-127, 127], a scale a channel, and the bias in units of s_x * s_w.
template <class Layer>
void quantize_layer(Layer& op, float scale_x) {
  const LayerWeights layer = *layer_weights(Op(op));
  const auto channels = static_cast<std::size_t>(layer.channels);
  const bool channels_last = layer.channels_last;
  const auto values = op.weight.values();
  const auto channel = [&](std::size_t i) {
    return channels_last ? i % channels : i / (values.size() / channels);
  };
  AlignedVector<float> scales(channels, 1e-6f);
  for (std::size_t i = 0; i < values.size(); ++i)
    scales[channel(i)] = std::max(scales[channel(i)], std::abs(values[i]) / 127.0f);
  AlignedVector<std::int8_t> weight(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    weight[i] = static_cast<std::int8_t>(std::lround(values[i] / scales[channel(i)]));
  if (!op.bias.absent()) {
    AlignedVector<std::int32_t> bias(channels);
    for (std::size_t k = 0; k < channels; ++k)
      bias[k] = static_cast<std::int32_t>(std::lround(op.bias.values()[k] / (scale_x * scales[k])));
    op.bias = Constant(op.bias.dims(), std::move(bias));
  }
  op.weight = Constant(op.weight.dims(), std::move(weight));
  op.weight_scale = Constant({static_cast<int>(channels)}, std::move(scales));
}

}  // namespace made_up

/// The int8 form of a float graph, with scales from the ranges that two images of noise give.
inline Graph made_up_int8(const Graph& float_graph) {
  Graph graph = split_activation(canonical(float_graph));
  std::map<std::string, std::pair<float, float>> ranges;
  const std::vector<float> images = noise(graph.input_shape(), 21, 2, 2);
  std::vector<float> scores(2 * static_cast<std::size_t>(graph.output_shape().size()));
  reference::Interpreter interpreter(graph);
  EXPECT_TRUE(interpreter.run(2, images, scores, [&](const Node& node, std::span<const float> values) {
    auto& [low, high] = ranges[node.name];  // zero is always in the range
    for (const float v : values) low = std::min(low, v), high = std::max(high, v);
  }));
  auto& [low, high] = ranges[graph.nodes[0].name];
  for (const float v : images) low = std::min(low, v), high = std::max(high, v);

  for (NodeId id = 0; id < graph.size(); ++id) {
    Node& node = graph[id];
    const auto [least, most] = ranges[node.name];
    Quantization q;
    q.scale = std::max((most - least) / 255, 1e-6f);
    q.zero_point = std::clamp(static_cast<int>(std::lround(-128 - least / q.scale)), -128, 127);
    if (std::holds_alternative<Pad>(node.op) || std::holds_alternative<Identity>(node.op))
      q = *graph[node.inputs[0]].quantization;
    node.quantization = q;
    const float scale_x = id == 0 ? 1 : graph[node.inputs[0]].quantization->scale;
    std::visit(Overloaded{[&](Convolution& op) { made_up::quantize_layer(op, scale_x); },
                          [&](Depthwise& op) { made_up::quantize_layer(op, scale_x); },
                          [&](Linear& op) { made_up::quantize_layer(op, scale_x); }, [](auto&) {}},
               node.op);
  }
  graph.labels = float_graph.labels;
  graph.preprocessing = float_graph.preprocessing;
  graph.dialect = float_graph.dialect;
  const auto legal = validate(graph);
  EXPECT_TRUE(legal) << (legal ? "" : legal.error().message);
  return graph;
}

/// The int8 form of an untrained family: "mobilenet_v2:width=0.35,resolution=32,classes=10".
inline Graph made_up_int8_family(std::string_view family) {
  const auto config = parse_family(family);
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return made_up_int8(build(*config).value());
}

}  // namespace linnet::testing
