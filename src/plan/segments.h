// Depthwise layers with the convolutions around them: what a CPU runs a few rows at a time.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace linnet::plan {

/// Layers that run together, as indices; nothing where a part is missing.
struct Segment {
  std::optional<int> before = {};  ///< a convolution that only `depthwise` reads
  int depthwise = 0;
  std::optional<int> behind = {};  ///< a pointwise layer, the only reader of `depthwise`
};

/// The segments that are worth it: those that keep more than `least_bytes` from being written and read back.
std::vector<Segment> find_segments(const Graph& graph, std::span<const Layer> layers,
                                   std::int64_t value_bytes, std::int64_t least_bytes);

}  // namespace linnet::plan
