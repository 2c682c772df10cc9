// A plan for a CPU: what flows stays in the L2 cache, every thread runs its own part of the rows.
#pragma once

#include <functional>

#include "plan/plan.h"

namespace linnet::plan {

struct CpuTarget {
  std::int64_t value_bytes = sizeof(float);
  /// The images are computed with where the caller has them. Otherwise the Input lies in the arena, whole.
  bool callers_images = true;
  /// The scores are computed where the caller wants them. Otherwise the output lies in the arena, whole.
  bool callers_scores = true;
  int threads = 1;
  /// Every node is a stage of its own and takes nothing over: what an observer wants to see.
  bool node_by_node = false;
  /// A depthwise layer runs together with the convolutions around it where that keeps more than so many bytes
  /// from being stored. Less lies in the L2 cache anyway, and whole layers are cut better among threads.
  std::int64_t fuse_above_bytes = 512 * 1024;
  /// Of the rows of a thread that flow through a stage, at most (but for single rows): a part of the L2
  /// cache.
  std::int64_t rows_bytes = 192 * 1024;
  /// What the kernel of a node wants for itself, a thread; absent: nothing.
  std::function<std::int64_t(NodeId)> scratch_bytes = {};
};

/// A stage is a layer or a segment (segments.h): the convolution before the depthwise layer computes rows
/// into a ring that holds just those which one block of output needs, the depthwise layer computes the block,
/// the pointwise layer behind it takes the block to the output. Where a whole value is computed element by
/// element from another that nobody else needs, both have one place. `graph` must be canonical and
/// legal.
Plan plan_for_cpu(const Graph& graph, const CpuTarget& target);

}  // namespace linnet::plan
