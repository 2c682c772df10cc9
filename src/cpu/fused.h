// A depthwise layer and the convolutions around it, a few rows at a time: what lies between them never exists
// whole, and stays in the cache.
//
// The convolution before the depthwise layer computes rows into a ring that holds just the rows which one
// block of output needs; the depthwise layer computes the block; the pointwise layer behind it takes the
// block to the output. Each thread runs its own part of the output rows with a ring of its own, and computes
// the few rows at its edges that its neighbour computes too. Every value is computed as it is layer by layer:
// no bit changes.
#pragma once

#include <vector>

#include "cpu/layer.h"
#include "plan/plan.h"

namespace linnet::cpu {

/// Runs a stage of more than one layer of a plan for a CPU. io.a is the input of its first node, io.residual
/// the last convolution's, io.scratch the bytes that the plan gives the stage for itself.
class FusedLayer final : public Layer {
 public:
  /// The layers, one a node of the graph, must outlive this one.
  FusedLayer(const Graph& graph, const plan::Plan& plan, int stage,
             std::span<const std::unique_ptr<Layer>> layers);
  void run(const LayerIo& io, const Worker& worker) const override;

 private:
  std::int64_t row_bytes(const Shape& shape) const { return std::int64_t{shape.w} * shape.c * value_; }
  void run_rows(const LayerIo& io, Range all, std::byte* scratch, double* stage_seconds) const;

  const RowLayer* before_ = nullptr;
  const RowLayer* depthwise_ = nullptr;
  const RowLayer* behind_ = nullptr;
  std::int64_t value_ = 1;  ///< bytes of one
  Window window_;           ///< of the depthwise layer
  Shape in_;                ///< of the depthwise layer
  Shape middle_;            ///< what the depthwise layer gives
  Shape out_;
  int step_ = 1;                   ///< output rows in a block
  int ring_ = 1;                   ///< input rows that a block needs
  std::int64_t thread_bytes_ = 0;  ///< from one thread's memory to the next one's; in it:
  std::int64_t ring_offset_ = 0;
  std::int64_t block_offset_ = 0;
  std::int64_t scratch_offset_ = 0;  ///< of whichever layer runs
};

}  // namespace linnet::cpu
