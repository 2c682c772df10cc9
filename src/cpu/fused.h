// A depthwise layer and the convolutions around it, a few rows at a time: what lies between them never exists
// whole, and stays in the cache.
//
// The convolution before the depthwise layer computes rows into a ring that holds just the rows which one
// block of output needs; the depthwise layer computes the block; the pointwise layer behind it takes the
// block to the output. Each thread runs its own part of the output rows with a ring of its own, and computes
// the few rows at its edges that its neighbour computes too. Every value is computed as it is layer by layer:
// no bit changes.
#pragma once

#include <optional>
#include <vector>

#include "cpu/layer.h"

namespace linnet::cpu {

/// Bytes of one value of the graph: float32 or int8.
std::int64_t value_bytes(const Graph& graph);

/// Consecutive nodes of a graph that run together; kAbsent where a part is missing.
struct Segment {
  static constexpr NodeId kAbsent = -1;
  NodeId before = kAbsent;  ///< a convolution that only `depthwise` reads
  NodeId depthwise = kAbsent;
  NodeId behind = kAbsent;  ///< a pointwise layer, the only reader of `depthwise`
  NodeId first() const { return before == kAbsent ? depthwise : before; }
  NodeId last() const { return behind == kAbsent ? depthwise : behind; }
};

/// The segments that are worth it: those that keep more than `least_bytes` from being written and read back.
/// taken_over_by[id]: the node whose layer computes `id` as well, or kAbsent.
std::vector<Segment> find_segments(const Graph& graph, std::span<const NodeId> taken_over_by,
                                   std::int64_t least_bytes);

/// Runs a segment. io.a is the input of its first node, io.residual the last convolution's.
class FusedLayer final : public Layer {
 public:
  /// The layers, one a node of the graph, must outlive this one.
  FusedLayer(const Graph& graph, const Segment& segment, std::span<const std::unique_ptr<Layer>> layers);
  void run(const LayerIo& io, const Worker& worker) const override;

 private:
  std::int64_t row_bytes(const Shape& shape) const { return std::int64_t{shape.w} * shape.c * value_; }
  void run_blocks(const LayerIo& io, Range blocks, std::byte* scratch, double* stage_seconds) const;

  const RowLayer* before_ = nullptr;
  const RowLayer* depthwise_ = nullptr;
  const RowLayer* behind_ = nullptr;
  std::int64_t value_ = 1;          ///< bytes of one
  std::int64_t stage_scratch_ = 0;  ///< bytes for whichever stage runs
  Window window_;                   ///< of the depthwise layer
  Shape in_;                        ///< of the depthwise layer
  Shape middle_;                    ///< what the depthwise layer gives
  Shape out_;
  int step_ = 1;  ///< output rows in a block
  int ring_ = 1;  ///< input rows that a block needs
};

}  // namespace linnet::cpu
