// For tests: int8 graphs made of float ones, with scales and zero points that range from sensible to extreme.
//
// This is no quantizer: it draws what a quantizer would avoid, as imported files and bad luck bring it.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "graph/random_graph.h"
#include "numerics/multiplier.h"
#include "reference/interpreter.h"

namespace linnet::cpu {

/// The canonical graph without any softmax, each hard activation a node of its own, as int8 demands.
inline Graph ready_for_int8(Graph graph) {
  for (Node& node : graph.nodes)
    if (std::holds_alternative<Softmax>(node.op)) node.op = Identity{};
  return split_activation(canonical(std::move(graph)));
}

class RandomInt8 {
 public:
  /// `extremes`: how likely, in percent, a layer or a value is drawn out of proportion.
  RandomInt8(RandomGraph& random, int extremes) : random_(random), extremes_(extremes) {}

  /// The graph in int8, its scales taken from what the reference computes of `image`.
  Graph operator()(const Graph& source, std::span<const float> image) {
    Graph graph = ready_for_int8(source);
    std::vector<float> largest;
    reference::Interpreter interpreter(graph);
    std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
    const auto ran = interpreter.run(1, image, scores, [&](const Node&, std::span<const float> values) {
      float most = 1e-3f;
      for (const float v : values) most = std::max(most, std::abs(v));
      largest.push_back(most);
    });
    EXPECT_TRUE(ran);
    for (NodeId id = 0; id < graph.size(); ++id) {
      Node& node = graph[id];
      node.quantization = keeps_quantization(node.op) ? graph[node.inputs[0]].quantization
                                                      : draw(largest[static_cast<std::size_t>(id)]);
      if (id == 0) continue;
      const float scale_x = graph[node.inputs[0]].quantization->scale;
      std::visit(
          [&](auto& op) {
            if constexpr (requires { op.weight; }) quantize_layer(op, scale_x);
          },
          node.op);
    }
    return graph;
  }

 private:
  bool extreme() { return random_.between(1, 100) <= extremes_; }
  static bool keeps_quantization(const Op& op) {
    return std::holds_alternative<Pad>(op) || std::holds_alternative<Identity>(op);
  }

  Quantization draw(float largest) {
    Quantization q = {largest / static_cast<float>(random_.between(60, 160)), random_.between(-128, 127)};
    if (extreme()) q.scale *= random_.pick({0x1p-7f, 0x1p-3f, 0x1p6f, 0x1p10f});
    if (extreme()) q.zero_point = random_.pick({-128, 127});
    return q;
  }

  template <class Layer>
  void quantize_layer(Layer& op, float scale_x) {
    const bool last = std::same_as<Layer, Depthwise>;
    const auto k = static_cast<std::size_t>(last ? op.weight.dims().back() : op.weight.dims().front());
    const auto values = op.weight.values();
    const std::size_t taps = values.size() / k;
    const auto channel = [&](std::size_t i) { return last ? i % k : i / taps; };
    AlignedVector<float> scale(k, 1e-6f);
    for (std::size_t i = 0; i < values.size(); ++i)
      scale[channel(i)] = std::max(scale[channel(i)], std::abs(values[i]) / 127);
    if (extreme()) op.weight_zero_point = random_.between(-128, 127);
    AlignedVector<std::int8_t> weight(values.size());
    const int same = random_.pick({-128, -127, 127});
    const bool all_same = extreme();
    for (std::size_t i = 0; i < values.size(); ++i)
      weight[i] = static_cast<std::int8_t>(
          all_same ? same : numerics::quantize(values[i], scale[channel(i)], op.weight_zero_point));
    AlignedVector<std::int32_t> bias(k);
    for (std::size_t c = 0; c < k; ++c) {
      const double b = op.bias.absent() ? 0.0 : op.bias.values()[c];
      bias[c] = static_cast<std::int32_t>(std::clamp(std::round(b / (scale_x * scale[c])), -0x1p28, 0x1p28));
      if (extreme()) bias[c] = random_.pick({-(1 << 28), 1 << 28, 0});
    }
    if (extreme()) scale[static_cast<std::size_t>(random_.between(0, static_cast<int>(k) - 1))] = 0;
    op.weight = Constant(op.weight.dims(), std::move(weight));
    if (!op.bias.absent()) op.bias = Constant({static_cast<int>(k)}, std::move(bias));
    op.weight_scale = Constant({static_cast<int>(k)}, std::move(scale));
  }

  RandomGraph& random_;
  int extremes_;
};

}  // namespace linnet::cpu
