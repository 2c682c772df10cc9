#include "graph/passes/rewrite.h"

#include <numeric>

namespace linnet {

std::vector<NodeId> unchanged(const Graph& graph) {
  std::vector<NodeId> target(graph.nodes.size());
  std::iota(target.begin(), target.end(), 0);
  return target;
}

Graph redirect(Graph graph, std::vector<NodeId> target) {
  const auto index = [](NodeId id) { return static_cast<std::size_t>(id); };
  const auto resolve = [&](NodeId id) {
    while (target[index(id)] != id) id = target[index(id)];
    return id;
  };

  graph.output = resolve(graph.output);
  std::vector<char> needed(graph.nodes.size(), 0);
  needed[0] = 1;
  needed[index(graph.output)] = 1;
  for (NodeId id = graph.size() - 1; id > 0; --id) {
    if (!needed[index(id)]) continue;
    for (NodeId& input : graph[id].inputs) {
      input = resolve(input);
      needed[index(input)] = 1;
    }
  }

  std::vector<NodeId> new_id(graph.nodes.size(), -1);
  std::vector<Node> kept;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!needed[index(id)]) continue;
    new_id[index(id)] = static_cast<NodeId>(kept.size());
    kept.push_back(std::move(graph[id]));
    for (NodeId& input : kept.back().inputs) input = new_id[index(input)];
  }
  graph.nodes = std::move(kept);
  graph.output = new_id[index(graph.output)];
  return graph;
}

}  // namespace linnet
