#include "graph/graph.h"

#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "graph/quantized.h"

namespace linnet {
namespace {

Result<void> validate_node(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (std::holds_alternative<Input>(node.op) != (id == 0))
    return fail("{}", id == 0 ? "the first node must be the input" : "a second input; a graph has one");
  std::vector<Shape> inputs;
  for (const NodeId input : node.inputs) {
    if (input < 0 || input >= id) return fail("reads node {}, which is not before it", input);
    inputs.push_back(graph[input].shape);
  }
  if (id == 0) {
    if (!node.inputs.empty()) return fail("the input reads another node");
    // An identity accepts any legal shape, and its limits are the limits of every other shape.
    LINNET_TRY(const Shape padded, infer_shape(Pad{}, std::span(&node.shape, 1)));
    if (padded != node.shape) return fail("illegal shape");
    return validate_arithmetic(graph, id);
  }
  LINNET_TRY(const Shape shape, infer_shape(node.op, inputs));
  if (shape != node.shape)
    return fail("shape is stored as {} but is {}", to_string(node.shape), to_string(shape));
  return validate_arithmetic(graph, id);
}

std::string describe(const Window& w) {
  const Padding& p = w.padding;
  std::string text = fmt::format("{}x{}", w.kernel_h, w.kernel_w);
  if (w.stride_h != 1 || w.stride_w != 1) text += fmt::format(" stride {}x{}", w.stride_h, w.stride_w);
  if (p != Padding{}) text += fmt::format(" pad {},{},{},{}", p.top, p.bottom, p.left, p.right);
  return text;
}

std::string describe(const Constant& bias, Activation activation) {
  std::string text = bias.absent() ? "" : " bias";
  if (activation != Activation::kNone) text += fmt::format(" {}", to_string(activation));
  return text;
}

std::string describe(const std::optional<Quantization>& q) {
  return q ? fmt::format(" int8 {:g} * (q - {})", q->scale, q->zero_point) : "";
}

std::string describe(const Op& op) {
  return std::visit(
      Overloaded{
          [](const Convolution& o) { return describe(o.window) + describe(o.bias, o.activation); },
          [](const Depthwise& o) { return describe(o.window) + describe(o.bias, o.activation); },
          [](const Linear& o) { return describe(o.bias, o.activation); },
          [](const BatchNorm& o) { return fmt::format("epsilon {:g}", o.epsilon); },
          [](const Activate& o) { return std::string(to_string(o.activation)); },
          [](const Add& o) { return describe(Constant(), o.activation); },
          [](const Pad& o) {
            return fmt::format("{},{},{},{}", o.padding.top, o.padding.bottom, o.padding.left,
                               o.padding.right);
          },
          [](const auto&) { return std::string(); },
      },
      op);
}

}  // namespace

Result<void> validate(const Graph& graph) {
  const auto where = [&](const Node& node) { return fmt::format("{}: node \"{}\"", graph.name, node.name); };
  if (graph.nodes.empty()) return fail("{}: the graph has no nodes", graph.name);
  std::unordered_set<std::string_view> names;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    if (node.name.empty()) return fail("{}: node {} ({}) has no name", graph.name, id, op_name(node.op));
    if (!names.insert(node.name).second) return fail("{}: the name stands twice", where(node));
    if (const auto legal = validate_node(graph, id); !legal)
      return fail("{} ({}): {}", where(node), op_name(node.op), legal.error().message);
  }
  if (graph.output < 0 || graph.output >= graph.size())
    return fail("{}: the output is node {} of {}", graph.name, graph.output, graph.size());
  const Shape& scores = graph.output_shape();
  if (!graph.labels.empty() &&
      (scores.pixels() != 1 || graph.labels.size() != static_cast<std::size_t>(scores.c)))
    return fail("{}: {} labels for an output of {}; there must be one label a class", graph.name,
                graph.labels.size(), to_string(scores));
  return {};
}

std::string dump(const Graph& graph) {
  std::string text = fmt::format("{}\n", graph.name);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    text +=
        fmt::format("{:4} {:<44} {:<20} {:<34} <- {:<10} {}{}{}\n", id, node.name, op_name(node.op),
                    describe(node.op), fmt::format("{}", fmt::join(node.inputs, ", ")), to_string(node.shape),
                    describe(node.quantization), id == graph.output ? " (output)" : "");
  }
  return text;
}

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes.size(), 0);
  for (const Node& node : graph.nodes)
    for (const NodeId input : node.inputs) ++uses[static_cast<std::size_t>(input)];
  ++uses[static_cast<std::size_t>(graph.output)];
  return uses;
}

}  // namespace linnet
