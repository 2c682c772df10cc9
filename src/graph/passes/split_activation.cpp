#include <algorithm>

#include "graph/passes/passes.h"

namespace linnet {
namespace {

std::string free_name(const Graph& graph, std::string name) {
  while (std::ranges::find(graph.nodes, name, &Node::name) != graph.nodes.end()) name += "_";
  return name;
}

}  // namespace

Graph split_activation(Graph graph) {
  Graph result = graph;
  result.nodes.clear();
  std::vector<NodeId> moved(graph.nodes.size());
  for (NodeId id = 0; id < graph.size(); ++id) {
    Node node = graph[id];
    for (NodeId& input : node.inputs) input = moved[static_cast<std::size_t>(input)];
    Activation* own = own_activation(node.op);
    if (own && (*own == Activation::kHardSwish || *own == Activation::kHardSigmoid)) {
      Node activate = {node.name, Activate{*own}, {result.size()}, node.shape};
      *own = Activation::kNone;
      node.name = free_name(graph, node.name + ".pre");
      result.nodes.push_back(std::move(node));
      result.nodes.push_back(std::move(activate));
    } else {
      result.nodes.push_back(std::move(node));
    }
    moved[static_cast<std::size_t>(id)] = result.size() - 1;
  }
  result.output = moved[static_cast<std::size_t>(graph.output)];
  return result;
}

}  // namespace linnet
