#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace linnet {

Graph remove_identity(Graph graph) {
  std::vector<NodeId> target = unchanged(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    const auto* pad = std::get_if<Pad>(&node.op);
    const bool pools_one_pixel =
        std::holds_alternative<GlobalAveragePool>(node.op) && graph[node.inputs[0]].shape.pixels() == 1;
    const auto* activate = std::get_if<Activate>(&node.op);
    // In int8, a node that changes the scale is none.
    if (id == 0 || node.quantization != graph[node.inputs[0]].quantization) continue;
    if (std::holds_alternative<Identity>(node.op) || (pad && pad->padding == Padding{}) || pools_one_pixel ||
        (activate && activate->activation == Activation::kNone))
      target[static_cast<std::size_t>(id)] = node.inputs[0];
  }
  return redirect(std::move(graph), std::move(target));
}

}  // namespace linnet
