// The grids of an int8 graph, chosen from what was seen or given, and the integers on them.
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/calibrate.h"
#include "quantize/range.h"

namespace linnet::quantize {

/// Scales and zero points of a float graph whose layers have no activation but relu and relu6
/// (split_activation()), node for node.
struct Grids {
  std::vector<Quantization> values;  ///< of the outputs
  /// Of the weights, one scale an output channel; an empty one is chosen from the weights. Or no entry at
  /// all.
  std::vector<std::vector<float>> weights = {};
};

/// Of `real` by `method` from what was seen of it, node for node. The input covers what its preprocessing can
/// give at all, scores are never clipped, and every scale is large enough for the node's arithmetic.
std::vector<Quantization> choose_grids(const Graph& real, std::span<const NodeStatistics> statistics,
                                       Method method);

/// Grids that were learned, made legal: a pad keeps its input's, and scales grow where the arithmetic of
/// their node asks for more.
Grids legal_grids(const Graph& real, Grids grids);

struct Integers {
  Graph graph;                ///< int8, node for node `real`
  std::vector<int> enlarged;  ///< one a node: how many channels had their weight scale enlarged
};

/// `search`: weight scales that are chosen are those of the least squared error, else of the largest weight.
Integers to_integers(const Graph& real, const Grids& grids, bool search);

/// A layer whose output grid is as coarse as the sums of one channel demand, which could reach a thousand
/// times further than int8 does: most of what its other channels say is lost. Weights that dwarf their
/// neighbours', or a batch norm that divides by next to nothing.
struct WidenedGrid {
  NodeId layer;
  int channel;
};
std::vector<WidenedGrid> widened_grids(const Graph& int8);

}  // namespace linnet::quantize
