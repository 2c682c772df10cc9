#include "plan/takeovers.h"

#include <algorithm>

#include "graph/quantized.h"

namespace linnet::plan {
namespace {

/// The operand of an Add that can take it over: a convolution that runs after the other operand.
NodeId adding_operand(const Graph& graph, const Node& add) {
  const NodeId later = std::max(add.inputs[0], add.inputs[1]);
  const auto* convolution = std::get_if<Convolution>(&graph[later].op);
  const bool can = convolution && (is_int8(graph) || convolution->activation == Activation::kNone);
  return can && add.inputs[0] != add.inputs[1] ? later : kNobody;
}

NodeId activating_operand(const Graph& graph, const Node& activate) {
  const NodeId before = activate.inputs[0];
  return is_int8(graph) && layer_weights(graph[before].op) ? before : kNobody;
}

}  // namespace

std::vector<Layer> single_layers(const Graph& graph) {
  std::vector<Layer> layers;
  for (NodeId id = 1; id < graph.size(); ++id)
    layers.push_back({.node = id, .tile = graph[id].shape.pixels()});
  return layers;
}

std::vector<Layer> layers_with_takeovers(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<Layer> layers = single_layers(graph);
  for (NodeId id = 1; id < graph.size(); ++id) {
    const Node& node = graph[id];
    NodeId by = kNobody;
    if (std::holds_alternative<Add>(node.op)) by = adding_operand(graph, node);
    if (std::holds_alternative<Activate>(node.op)) by = activating_operand(graph, node);
    if (by == kNobody || uses[static_cast<std::size_t>(by)] != 1) continue;
    layers[static_cast<std::size_t>(by - 1)].taken_over = id;
    layers[static_cast<std::size_t>(id - 1)].node = kNobody;
  }
  std::erase_if(layers, [](const Layer& layer) { return layer.node == kNobody; });
  return layers;
}

}  // namespace linnet::plan
