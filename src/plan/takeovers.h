// Which layers compute the node behind them as well: a residual Add, or in int8 an Activate.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace linnet::plan {

/// The graph's nodes but the Input as layers, in the graph's order. A convolution computes the Add behind it:
/// in float where it has no activation of its own, in int8 always, since its values are rounded before they
/// are added as everywhere. In int8 a convolution, depthwise or linear layer looks its result up in the table
/// of the Activate behind it.
std::vector<Layer> layers_with_takeovers(const Graph& graph);

/// The same, each node on its own.
std::vector<Layer> single_layers(const Graph& graph);

}  // namespace linnet::plan
