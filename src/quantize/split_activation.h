// Passes that ready a float graph for int8.
#pragma once

#include "graph/graph.h"

namespace linnet::quantize {

/// Takes every activation that a pair of limits does not express (hard-swish, hard-sigmoid) off the
/// convolution, depthwise, linear or add that computes it: node "a" becomes "a.pre" and the activation, which
/// is the node "a" now. The inverse of fuse_activation().
Graph split_activation(const Graph& graph);

}  // namespace linnet::quantize
