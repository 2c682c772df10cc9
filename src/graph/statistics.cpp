#include "graph/statistics.h"

#include <algorithm>

namespace linnet {
namespace {

void count(const Op& op, const Shape& output, NodeStatistics& s) {
  const auto layer = [&](const Constant& weight, const Constant& bias, std::int64_t uses) {
    s.weights = static_cast<std::int64_t>(weight.size());
    s.parameters = s.weights + static_cast<std::int64_t>(bias.size());
    s.macs = s.weights * uses;  // every weight meets every output pixel once
  };
  std::visit(Overloaded{
                 [&](const Convolution& o) { layer(o.weight, o.bias, output.pixels()); },
                 [&](const Depthwise& o) { layer(o.weight, o.bias, output.pixels()); },
                 [&](const Linear& o) { layer(o.weight, o.bias, 1); },
                 [&](const BatchNorm& o) {
                   s.parameters = static_cast<std::int64_t>(o.scale.size() + o.offset.size());
                 },
                 [](const auto&) {},
             },
             op);
}

// A legal graph can stride over 1x1 for ever; the numbers then stop here instead of overflowing.
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 40;

void widen(std::int64_t& field, std::int64_t& field_stride, int kernel, int stride) {
  field = std::min(field + (kernel - 1) * field_stride, kMaxPixels);
  field_stride = std::min(field_stride * stride, kMaxPixels);
}

void widen(ReceptiveField& field, int kernel_h, int kernel_w, int stride_h, int stride_w) {
  widen(field.h, field.stride_h, kernel_h, stride_h);
  widen(field.w, field.stride_w, kernel_w, stride_w);
}

/// The field of a node whose main input has `field` and the shape `x`.
void widen(ReceptiveField& field, const Op& op, const Shape& x) {
  const auto slide = [&](const Window& w) { widen(field, w.kernel_h, w.kernel_w, w.stride_h, w.stride_w); };
  std::visit(Overloaded{
                 [&](const Convolution& o) { slide(o.window); },
                 [&](const Depthwise& o) { slide(o.window); },
                 [&](const GlobalAveragePool&) {
                   widen(field, x.h, x.w, 1, 1);
                   field.whole_image = true;
                 },
                 [](const auto&) {},
             },
             op);
}

void sum(Totals& totals, const NodeStatistics& s) {
  totals.macs += s.macs;
  totals.parameters += s.parameters;
  totals.weights += s.weights;
}

}  // namespace

std::vector<NodeStatistics> node_statistics(const Graph& graph) {
  std::vector<NodeStatistics> statistics(graph.nodes.size());
  const auto field_of = [&](NodeId id) -> const ReceptiveField& {
    return statistics[static_cast<std::size_t>(id)].receptive_field;
  };
  for (NodeId id = 1; id < graph.size(); ++id) {
    const Node& node = graph[id];
    NodeStatistics& s = statistics[static_cast<std::size_t>(id)];
    count(node.op, node.shape, s);
    ReceptiveField& field = s.receptive_field;
    field = field_of(node.inputs[0]);
    widen(field, node.op, graph[node.inputs[0]].shape);
    if (node.inputs.size() == 2) {
      const ReceptiveField& other = field_of(node.inputs[1]);
      field.whole_image |= other.whole_image;
      if (std::holds_alternative<Add>(node.op)) {
        field.h = std::max(field.h, other.h);
        field.w = std::max(field.w, other.w);
      }
    }
  }
  return statistics;
}

Totals totals(const Graph& graph) {
  Totals all;
  for (const NodeStatistics& s : node_statistics(graph)) sum(all, s);
  return all;
}

Totals totals_of(const Graph& graph, NodeId node) {
  std::vector<bool> needed(graph.nodes.size(), false);
  needed[static_cast<std::size_t>(node)] = true;
  const auto statistics = node_statistics(graph);
  Totals part;
  for (NodeId id = node; id >= 0; --id) {
    if (!needed[static_cast<std::size_t>(id)]) continue;
    sum(part, statistics[static_cast<std::size_t>(id)]);
    for (const NodeId input : graph[id].inputs) needed[static_cast<std::size_t>(input)] = true;
  }
  return part;
}

}  // namespace linnet
