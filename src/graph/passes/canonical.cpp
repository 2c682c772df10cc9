#include <cassert>

#include "graph/passes/passes.h"

namespace linnet {

Graph canonical(Graph graph) {
  // Identities first: one between a convolution and its batch norm would keep them apart. A chain of pads
  // folds from its end, so padding repeats until nothing changes.
  graph = remove_identity(strip_softmax(remove_identity(std::move(graph))));
  graph = fuse_activation(fold_batch_norm(std::move(graph)));
  for (std::size_t before = 0; before != graph.nodes.size();) {
    before = graph.nodes.size();
    graph = canonical_padding(std::move(graph));
  }
  assert(validate(graph));
  return graph;
}

}  // namespace linnet
