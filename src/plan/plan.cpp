#include "plan/plan.h"

#include <algorithm>

#include <fmt/core.h>

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
  return find_if(plan, stage, [&](const Buffer& b) {
    return (b.kind == Buffer::Kind::kWhole || b.kind == Buffer::Kind::kRing) && b.value == value;
  });
}

const Buffer* find_sums(const Plan& plan, int stage, NodeId value) {
  return find_if(plan, stage,
                 [&](const Buffer& b) { return b.kind == Buffer::Kind::kSums && b.value == value; });
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

std::int64_t live_bytes(const Plan& plan, int stage) {
  std::int64_t end = 0;
  for (const Buffer& b : plan.buffers)
    if (b.first <= stage && stage <= b.last)
      end = std::max(end, b.offset + (b.copies - 1) * b.stride + b.bytes);
  return end;
}

std::string dump(const Graph& graph, const Plan& plan) {
  std::string text = fmt::format("{} bytes\n", plan.arena_bytes);
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
    text += fmt::format("stage {}\n", s);
    for (const Layer& layer : plan.stages[static_cast<std::size_t>(s)].layers) {
      text += fmt::format("  {} {}", op_name(graph[layer.node].op), graph[layer.node].name);
      if (layer.taken_over != kNobody) text += fmt::format(" and {}", graph[layer.taken_over].name);
      text += fmt::format(", {} pixels at once\n", layer.tile);
    }
    for (const Buffer& b : plan.buffers) {
      if (s < b.first || b.last < s) continue;
      text += fmt::format("    {:>9} {:>9}  ", b.offset, b.bytes);
      if (b.copies > 1) text += fmt::format("x {} ", b.copies);
      switch (b.kind) {
        case Buffer::Kind::kWhole: text += fmt::format("whole {}", graph[b.value].name); break;
        case Buffer::Kind::kRing:
          text += fmt::format("ring {}, {} pixels", graph[b.value].name, b.pixels);
          break;
        case Buffer::Kind::kSums: text += fmt::format("sums {}", graph[b.value].name); break;
        case Buffer::Kind::kScratch: text += "scratch"; break;
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace linnet::plan
