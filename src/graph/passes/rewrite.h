// What passes share: redirecting edges, and dropping what nobody reads any more.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace linnet {

/// Every reader of node i reads `target[i]` instead (target[i] == i: unchanged; chains are followed, and must
/// not be circular). Nodes that the output no longer needs are dropped, the input excepted. The rest keep
/// their order.
Graph redirect(Graph graph, std::vector<NodeId> target);

/// {0, 1, 2, …}: nothing redirected yet.
std::vector<NodeId> unchanged(const Graph& graph);

}  // namespace linnet
