#include "graph/passes/passes.h"
#include "graph/passes/rewrite.h"

namespace linnet {
namespace {

/// The window of a layer that pads its own input, or nullptr.
Window* own_window(Op& op) {
  return std::visit(
      Overloaded{[](Convolution& o) { return &o.window; }, [](Depthwise& o) { return &o.window; },
                 [](auto&) -> Window* { return nullptr; }},
      op);
}

}  // namespace

Graph canonical_padding(Graph graph) {
  std::vector<NodeId> target = unchanged(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto* pad = std::get_if<Pad>(&graph[id].op);
    if (!pad || id == graph.output) continue;
    const Padding extra = pad->padding;
    std::vector<Window*> windows;
    bool all_have_one = true;
    for (NodeId reader = id + 1; reader < graph.size(); ++reader)
      for (const NodeId input : graph[reader].inputs) {
        if (input != id) continue;
        windows.push_back(own_window(graph[reader].op));
        all_have_one = all_have_one && windows.back();
      }
    if (!all_have_one) continue;
    for (Window* window : windows) {
      window->padding.top += extra.top;
      window->padding.bottom += extra.bottom;
      window->padding.left += extra.left;
      window->padding.right += extra.right;
    }
    target[static_cast<std::size_t>(id)] = graph[id].inputs[0];
  }
  return redirect(std::move(graph), std::move(target));
}

}  // namespace linnet
