// What a graph costs, counted: multiply-accumulates, parameters, receptive field.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace linnet {

/// The square of input pixels that one output pixel depends on, padding included: it may be larger than the
/// image.
struct ReceptiveField {
  std::int64_t h = 1;  ///< pixels of the input
  std::int64_t w = 1;
  std::int64_t stride_h = 1;  ///< pixels of the input between two neighbouring outputs
  std::int64_t stride_w = 1;
  /// Behind a global average pool, directly or through a squeeze-and-excite gate, every output depends on the
  /// whole image; h and w are then what it would see without the gates.
  bool whole_image = false;
  bool operator==(const ReceptiveField&) const = default;
};

struct NodeStatistics {
  /// Multiply-accumulates for one image, of convolutions and linear layers alone; products with padding
  /// count.
  std::int64_t macs = 0;
  /// Weights, biases, batch norm's scale and offset; never the running statistics.
  std::int64_t parameters = 0;
  std::int64_t weights = 0;  ///< of these, those that are multiplied: no biases, no batch norm
  ReceptiveField receptive_field;
  bool operator==(const NodeStatistics&) const = default;
};

/// One a node, in the graph's order. `graph` must be legal (validate()).
std::vector<NodeStatistics> node_statistics(const Graph& graph);

struct Totals {
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
  std::int64_t weights = 0;
  bool operator==(const Totals&) const = default;
};

/// The sums over all nodes, used or not.
Totals totals(const Graph& graph);

/// The sums over the nodes that `node` needs, itself included: totals_of(g, id).macs / g[id].shape.pixels()
/// is the number of multiply-accumulates a point of its map.
Totals totals_of(const Graph& graph, NodeId node);

}  // namespace linnet
