#include "train/transfer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "graph/passes/passes.h"
#include "train/initialise.h"

namespace linnet::train {
namespace {

bool has_weights(const Op& op) {
  return std::holds_alternative<Convolution>(op) || std::holds_alternative<Depthwise>(op) ||
         std::holds_alternative<Linear>(op);
}

/// Infers the shapes from node `first` on again. Errors name the node.
Result<void> renew_shapes(Graph& graph, NodeId first) {
  for (NodeId id = std::max(first, 1); id < graph.size(); ++id) {
    std::vector<Shape> inputs;
    for (const NodeId input : graph[id].inputs) inputs.push_back(graph[input].shape);
    const Result<Shape> shape = infer_shape(graph[id].op, inputs);
    if (!shape) return fail("{}: node \"{}\": {}", graph.name, graph[id].name, shape.error().message);
    graph[id].shape = *shape;
  }
  return {};
}

/// Makes `layer` one of `classes` outputs with a bias, its values still to be drawn.
template <class Layer>
void resize_outputs(Layer& layer, int classes) {
  std::vector<int> dims = layer.weight.dims();
  dims.front() = classes;
  std::size_t size = 1;
  for (const int d : dims) size *= static_cast<std::size_t>(d);
  layer.weight = Constant(std::move(dims), AlignedVector<float>(size));
  layer.bias = Constant({classes}, AlignedVector<float>(static_cast<std::size_t>(classes)));
  layer.activation = Activation::kNone;
}

/// The last node with weights; whatever follows it computes nothing.
NodeId find_head(const Graph& graph) {
  NodeId id = graph.output;
  while (id > 0 && !has_weights(graph[id].op)) --id;
  return id;
}

}  // namespace

Result<Graph> replace_head(Graph trained, std::vector<std::string> labels, std::uint64_t seed) {
  if (is_int8(trained))
    return fail(
        "{}: is an int8 model, and training needs float weights; start from the float model that it was made "
        "from",
        trained.name);
  if (labels.size() < 2) return usage("a classifier has two classes at least, not {}", labels.size());
  Graph graph = strip_softmax(std::move(trained));
  NodeId head = graph.output;
  while (std::holds_alternative<Identity>(graph[head].op) ||
         std::holds_alternative<GlobalAveragePool>(graph[head].op))
    head = graph[head].inputs[0];
  const auto classes = static_cast<int>(labels.size());
  Op& op = graph[head].op;
  auto* const convolution = std::get_if<Convolution>(&op);
  if (auto* linear = std::get_if<Linear>(&op))
    resize_outputs(*linear, classes);
  else if (convolution && convolution->window == Window{})
    resize_outputs(*convolution, classes);
  else
    return fail(
        "{}: node \"{}\" gives the scores and is a {}; a head that can be replaced is a linear layer or a "
        "1x1 "
        "convolution",
        graph.name, graph[head].name, op_name(op));
  Random random(seed);
  initialise(graph[head], Initialisation::kHeFanOut, random);
  LINNET_CHECK(renew_shapes(graph, head));
  graph.labels = std::move(labels);
  LINNET_CHECK(validate(graph));
  return graph;
}

int backbone_layers(const Graph& graph) {
  int layers = -1;  // the head
  for (const Node& node : graph.nodes) layers += has_weights(node.op) ? 1 : 0;
  return layers;
}

Graph with_norms(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  const auto index = [](NodeId id) { return static_cast<std::size_t>(id); };
  std::vector<bool> normed(graph.nodes.size(), false);  // a norm alone reads it
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<BatchNorm>(node.op) && uses[index(node.inputs[0])] == 1)
      normed[index(node.inputs[0])] = true;
  const NodeId head = find_head(graph);
  Graph result = graph;
  result.nodes.clear();
  std::vector<NodeId> place(graph.nodes.size());
  const auto push = [&](Node node) {
    result.nodes.push_back(std::move(node));
    return result.size() - 1;
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    Node node = graph[id];
    for (NodeId& input : node.inputs) input = place[index(input)];
    auto* const convolution = std::get_if<Convolution>(&node.op);
    auto* const depthwise = std::get_if<Depthwise>(&node.op);
    if ((!convolution && !depthwise) || normed[index(id)] || id == head || node.shape.pixels() == 1) {
      place[index(id)] = push(std::move(node));
      continue;
    }
    Constant& bias = convolution ? convolution->bias : depthwise->bias;
    Activation& activation = convolution ? convolution->activation : depthwise->activation;
    const Activation follows = std::exchange(activation, Activation::kNone);
    const auto channels = static_cast<std::size_t>(node.shape.c);
    const auto filled = [&](float value) {
      return Constant({node.shape.c}, AlignedVector<float>(channels, value));
    };
    BatchNorm norm{.scale = filled(1), .offset = filled(0), .mean = filled(0), .variance = {}};
    norm.variance = filled(1 - norm.epsilon);
    if (!bias.absent()) norm.offset = std::exchange(bias, Constant());
    const std::string name = node.name;
    const Shape shape = node.shape;
    NodeId last = push(std::move(node));
    last = push({.name = name + ".norm", .op = std::move(norm), .inputs = {last}, .shape = shape});
    if (follows != Activation::kNone)
      last = push({.name = name + ".activation", .op = Activate{follows}, .inputs = {last}, .shape = shape});
    place[index(id)] = last;
  }
  result.output = place[index(graph.output)];
  return result;
}

Halves split_at_head(const Graph& graph) {
  const NodeId head = find_head(graph);
  const auto first = static_cast<std::size_t>(head);
  Halves halves{graph, graph};
  halves.backbone.nodes.resize(first);
  halves.backbone.output = graph[head].inputs[0];
  halves.backbone.labels.clear();
  // The head's input takes the place of the node before it.
  std::vector<Node>& nodes = halves.head.nodes;
  nodes.erase(nodes.begin(), nodes.begin() + head - 1);
  const Shape features = graph[graph[head].inputs[0]].shape;
  nodes.front() = {.name = "features", .op = Input{}, .inputs = {}, .shape = features};
  for (Node& node : std::span(nodes).subspan(1))
    for (NodeId& input : node.inputs) input = std::max(0, input - head + 1);
  halves.head.output = graph.output - head + 1;
  halves.head.preprocessing.reset();
  return halves;
}

Graph with_head(Graph graph, const Graph& head) {
  graph[find_head(graph)].op = head[find_head(head)].op;
  return graph;
}

Result<Graph> with_resolution(Graph graph, int pixels) {
  constexpr int kTotalStride = 32;
  if (pixels < kTotalStride || pixels % kTotalStride != 0)
    return usage("a resolution of {} does not fit; take a multiple of {}", pixels, kTotalStride);
  return with_any_resolution(std::move(graph), pixels);
}

Result<Graph> with_any_resolution(Graph graph, int pixels) {
  const int before = graph.input_shape().h;
  std::vector<Node> nodes = std::exchange(graph.nodes, {});
  std::vector<NodeId> place(nodes.size());
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    Node& node = nodes[id];
    for (NodeId& input : node.inputs) input = place[static_cast<std::size_t>(input)];
    if (id == 0) node.shape.h = node.shape.w = pixels;
    // A pool over one pixel was left out when the file was written; now there are more.
    if (std::holds_alternative<Linear>(node.op) && graph[node.inputs[0]].shape.pixels() > 1) {
      const Node& features = graph[node.inputs[0]];
      graph.nodes.push_back({.name = node.name + ".pool",
                             .op = GlobalAveragePool{},
                             .inputs = {node.inputs[0]},
                             .shape = {1, 1, features.shape.c}});
      node.inputs[0] = graph.size() - 1;
    }
    if (std::holds_alternative<Multiply>(node.op) && graph[node.inputs[1]].shape.pixels() > 1)
      return fail(
          "{}: was written for {} pixels, at which the pool before node \"{}\" sees one pixel and was left "
          "out; start from a file of a larger resolution",
          graph.name, before, node.name);
    graph.nodes.push_back(std::move(node));
    place[id] = graph.size() - 1;
    LINNET_CHECK(renew_shapes(graph, place[id]));
  }
  graph.output = place[static_cast<std::size_t>(graph.output)];
  if (graph.preprocessing && graph.preprocessing->shortest_edge)
    graph.preprocessing->shortest_edge = static_cast<int>(
        std::lround(static_cast<double>(*graph.preprocessing->shortest_edge) * pixels / before));
  LINNET_CHECK(validate(graph));
  return graph;
}

}  // namespace linnet::train
