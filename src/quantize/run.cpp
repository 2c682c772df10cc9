#include "quantize/run.h"

#include <algorithm>
#include <limits>

#include "quantize/change_layer.h"
#include "reference/interpreter.h"

namespace linnet::quantize {
namespace {

template <class T>
Constant as_float(const Constant& constant) {
  AlignedVector<float> values;
  for (const T v : constant.values<T>()) values.push_back(static_cast<float>(v));
  return {constant.dims(), std::move(values)};
}

/// The layer as a float one without an activation; the integers of an int8 one stay what they are.
Op without_activation(Op op) {
  change_layer(op, [](auto& o) {
    o.activation = Activation::kNone;
    if (o.weight.type() != ElementType::kInt8) return;
    o.weight = as_float<std::int8_t>(o.weight);
    if (!o.bias.absent()) o.bias = as_float<std::int32_t>(o.bias);
    o.weight_scale = {};
  });
  return op;
}

/// The fastest ISA, whatever LINNET_ISA says, so that it changes no scale.
cpu::Isa fastest_isa() { return cpu::available_isas().back(); }

/// relu or relu6; a graph that is split has no other in a layer.
void limit(std::span<float> values, Activation activation) {
  const float high = activation == Activation::kRelu6 ? 6.0f : std::numeric_limits<float>::infinity();
  for (float& v : values) v = std::min(std::max(v, 0.0f), high);
}

Activation layer_activation(const Op& op) {
  if (const auto layer = layer_weights(op)) return layer->activation;
  return Activation::kNone;
}

}  // namespace

Result<LayerRun> LayerRun::make(const Graph& graph, NodeId id) {
  const Shape& x = graph[graph[id].inputs[0]].shape;
  Graph layer;
  layer.name = graph.name;
  layer.nodes = {{"input of " + graph[id].name, Input{}, {}, x},
                 {graph[id].name, without_activation(graph[id].op), {0}, graph[id].shape}};
  layer.output = 1;
  // An executor's output is a vector of scores: the layer's image, seen as one, is as good.
  LINNET_TRY(auto executor, cpu::make_executor(layer, {.threads = 1, .isa = fastest_isa()}));
  return LayerRun(std::move(executor));
}

Result<AlignedVector<float>> LayerRun::run(std::span<const float> x) {
  AlignedVector<float> y(static_cast<std::size_t>(executor_->graph().output_shape().size()));
  LINNET_CHECK(executor_->run(1, x, y));
  return y;
}

Result<AlignedVector<float>> LayerRun::run(std::span<const std::int8_t> x, int zero_point) {
  AlignedVector<float> differences(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) differences[i] = static_cast<float>(x[i] - zero_point);
  return run(differences);
}

Result<FloatRun> FloatRun::make(const Graph& graph) {
  FloatRun result(graph);
  for (NodeId id = 1; id < graph.size(); ++id)
    if (layer_weights(graph[id].op)) {
      LINNET_TRY(result.layers_[static_cast<std::size_t>(id)], LayerRun::make(graph, id));
    }
  return result;
}

Result<void> FloatRun::run(std::span<const float> image, const FloatVisitor& visit) {
  std::vector<int> unread = count_uses(graph_);
  std::vector<AlignedVector<float>> outputs(graph_.nodes.size());
  outputs[0].assign(image.begin(), image.end());
  LINNET_CHECK(visit(0, outputs[0], outputs[0]));
  for (NodeId id = 1; id < graph_.size(); ++id) {
    const Node& node = graph_[id];
    AlignedVector<float>& y = outputs[static_cast<std::size_t>(id)];
    std::vector<std::span<const float>> inputs;
    std::vector<Shape> shapes;
    for (const NodeId input : node.inputs) {
      inputs.emplace_back(outputs[static_cast<std::size_t>(input)]);
      shapes.push_back(graph_[input].shape);
    }
    if (auto& layer = layers_[static_cast<std::size_t>(id)]) {
      LINNET_TRY(const AlignedVector<float> before, layer->run(inputs[0]));
      y = before;
      if (const Activation activation = layer_activation(node.op); activation != Activation::kNone)
        limit(y, activation);
      LINNET_CHECK(visit(id, before, y));
    } else {
      y = reference::compute(node, shapes, inputs);
      LINNET_CHECK(visit(id, y, y));
    }
    for (const NodeId input : node.inputs)
      if (--unread[static_cast<std::size_t>(input)] == 0) outputs[static_cast<std::size_t>(input)] = {};
  }
  return {};
}

AlignedVector<std::int8_t> requantize(const IntegerLayer& layer, std::span<const float> accumulators) {
  const std::size_t channels = layer.multipliers.size();
  AlignedVector<std::int8_t> y(accumulators.size());
  for (std::size_t i = 0; i < y.size(); i += channels)
    for (std::size_t k = 0; k < channels; ++k)
      y[i + k] = linnet_requantize(static_cast<std::int32_t>(accumulators[i + k]), layer.multipliers[k],
                                   layer.output);
  return y;
}

}  // namespace linnet::quantize
