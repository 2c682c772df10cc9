#include "plan/plan.h"

#include <algorithm>

namespace linnet::plan {
namespace {

template <class Predicate>
const Buffer* find_if(const Plan& plan, int stage, Predicate is) {
  const auto found = std::ranges::find_if(
      plan.buffers, [&](const Buffer& b) { return b.first <= stage && stage <= b.last && is(b); });
  return found == plan.buffers.end() ? nullptr : &*found;
}

}  // namespace

const Buffer* find(const Plan& plan, int stage, NodeId value) {
  return find_if(plan, stage,
                 [&](const Buffer& b) { return b.kind != Buffer::Kind::kScratch && b.value == value; });
}

const Buffer* find_scratch(const Plan& plan, int stage) {
  return find_if(plan, stage, [](const Buffer& b) { return b.kind == Buffer::Kind::kScratch; });
}

NodeId residual_of(const Graph& graph, const Layer& layer) {
  if (layer.taken_over == kNobody || !std::holds_alternative<Add>(graph[layer.taken_over].op)) return kNobody;
  const std::vector<NodeId>& operands = graph[layer.taken_over].inputs;
  return operands[0] == layer.node ? operands[1] : operands[0];
}

std::vector<NodeId> inputs_of(const Graph& graph, const Stage& stage) {
  std::vector<NodeId> inputs;
  const auto add = [&](NodeId value) {
    const bool inside = std::ranges::any_of(stage.layers, [&](const Layer& l) { return l.value() == value; });
    if (!inside) inputs.push_back(value);
  };
  for (const Layer& layer : stage.layers) {
    for (const NodeId input : graph[layer.node].inputs) add(input);
    if (const NodeId residual = residual_of(graph, layer); residual != kNobody) add(residual);
  }
  std::ranges::sort(inputs);
  inputs.erase(std::ranges::unique(inputs).begin(), inputs.end());
  return inputs;
}

}  // namespace linnet::plan
