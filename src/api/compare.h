// Where two models, or two ways to run one, part: the same pictures through both, layer by layer.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "graph/executor.h"

namespace linnet {

struct LayerComparison {
  std::string name;           ///< in the first executor's graph
  double max_difference = 0;  ///< the largest |a - b|
  double equal_share = 1;     ///< of values that are the same number, 0 … 1
  double magnitude = 0;       ///< the largest |a|
};

struct Comparison {
  std::vector<LayerComparison>
      layers;  ///< those that both have, in the first graph's order; over all pictures
  std::optional<std::size_t>
      first_difference;  ///< index of the first layer whose difference exceeds tolerance * magnitude
};

/// Runs every picture (input.size() values each) through both. Layers are matched by name where both graphs
/// use the same names, else by position where the graphs have the same shape throughout. A NaN on one side
/// alone is an infinite difference. Errors: inputs of different shapes, nothing to match, an executor's own.
Result<Comparison> compare(Executor& a, Executor& b, std::span<const AlignedVector<float>> pictures,
                           double tolerance);

}  // namespace linnet
