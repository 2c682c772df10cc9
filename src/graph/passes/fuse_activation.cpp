#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace linnet {
namespace {

/// Whether `activate` in int8 does nothing but limit the values of `source`.
bool is_pair_of_limits(const Graph& graph, NodeId source, NodeId activate) {
  const Activation activation = std::get<Activate>(graph[activate].op).activation;
  return graph[source].quantization == graph[activate].quantization &&
         (activation == Activation::kRelu || activation == Activation::kRelu6);
}

}  // namespace

Graph fuse_activation(Graph graph) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<NodeId> target = unchanged(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto* activate = std::get_if<Activate>(&graph[id].op);
    if (!activate) continue;
    const NodeId source = graph[id].inputs[0];
    Activation* fused = own_activation(graph[source].op);
    if (!fused || *fused != Activation::kNone || uses[static_cast<std::size_t>(source)] != 1) continue;
    if (is_int8(graph) && !is_pair_of_limits(graph, source, id)) continue;
    *fused = activate->activation;
    target[static_cast<std::size_t>(id)] = source;
  }
  return redirect(std::move(graph), std::move(target));
}

}  // namespace linnet
