// A plan for a number of bytes of RAM: stages of any number of layers, in which pixels flow in raster order
// through rings of just the pixels that are still needed.
#pragma once

#include <functional>

#include "plan/plan.h"

namespace linnet::plan {

struct RamTarget {
  std::int64_t value_bytes = sizeof(float);
  /// The image lies in the caller's memory as it is computed with. Otherwise the Input is a layer, which
  /// converts the caller's pixels as they are needed.
  bool callers_image = true;
  std::int64_t ram_bytes = 0;
  /// What the kernel of a layer wants for itself to compute so many pixels at once; absent: nothing.
  std::function<std::int64_t(const Layer& layer, std::int64_t pixels)> scratch_bytes = {};
  /// Where scratch may begin. The arena must begin on a multiple of it.
  std::int64_t scratch_alignment = 64;
};

/// Cuts the layers into stages so that the largest takes as few bytes as can be, then lets every stage
/// compute as many pixels at once as the budget allows. Everything counts: rings, values that exist whole,
/// sums, scratch, the scores; not the caller's image, not weights. A stage's output may lie over its input
/// where the walk has done with it. `graph` must be canonical and legal. Errors: the budget is less than the
/// least, which the text names with the stage that sets it.
Result<Plan> plan_for_ram(const Graph& graph, const RamTarget& target);

/// The plan of fewest bytes that plan_for_ram() finds: every stage computes a pixel at once. ram_bytes does
/// not matter.
Plan plan_for_least_ram(const Graph& graph, const RamTarget& target);

/// All of it as one stage, where nothing but the scores exists whole: what a circuit without external memory
/// runs. ram_bytes does not matter. Errors: a gate that needs all of a value before the first pixel of it can
/// go on (squeeze-and-excite); the text names the node.
Result<Plan> plan_one_stage(const Graph& graph, const RamTarget& target, std::int64_t tile = 1);

}  // namespace linnet::plan
