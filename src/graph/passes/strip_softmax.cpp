#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace linnet {

Graph strip_softmax(Graph graph) {
  std::vector<NodeId> target = unchanged(graph);
  if (std::holds_alternative<Softmax>(graph[graph.output].op))
    target[static_cast<std::size_t>(graph.output)] = graph[graph.output].inputs[0];
  return redirect(std::move(graph), std::move(target));
}

}  // namespace linnet
