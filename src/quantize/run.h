// Runs a graph node by node, so that what an executor joins can be seen apart: what a layer gives before its
// activation, and the accumulators of an int8 layer.
//
// Float kernels give those accumulators exactly where no sum leaves +-2^24, which quantize_channel()
// guarantees: integers of that size are exact in float32, in whatever order they are added.
//
// Results are the same bits on every CPU with a fused multiply-add, whatever LINNET_ISA says: the kernels of
// all those ISAs add in one order.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "cpu/executor.h"
#include "graph/quantized.h"

namespace linnet::quantize {

/// A convolution, depthwise or linear layer without its activation, float or int8. Not thread-safe.
class LayerRun {
 public:
  /// Node `id` must be such a layer; an int8 one has no weight zero point.
  static Result<LayerRun> make(const Graph& graph, NodeId id);

  /// One image. Of an int8 layer x are the stored values less the zero point, the result is the accumulators.
  Result<AlignedVector<float>> run(std::span<const float> x);
  Result<AlignedVector<float>> run(std::span<const std::int8_t> x, int zero_point);

 private:
  explicit LayerRun(std::unique_ptr<cpu::CpuExecutor> executor) : executor_(std::move(executor)) {}
  std::unique_ptr<cpu::CpuExecutor> executor_;
};

/// Sees a node's output for one image, and that of a layer before its activation; of other nodes the same
/// twice.
using FloatVisitor =
    std::function<Result<void>(NodeId id, std::span<const float> before, std::span<const float> output)>;

/// A float graph as it stands, whose layers have no activation but relu and relu6 (split_activation()). Not
/// thread-safe.
class FloatRun {
 public:
  static Result<FloatRun> make(const Graph& graph);
  Result<void> run(std::span<const float> image, const FloatVisitor& visit);

 private:
  explicit FloatRun(const Graph& graph) : graph_(graph), layers_(graph.nodes.size()) {}
  Graph graph_;
  std::vector<std::optional<LayerRun>> layers_;
};

/// The stored values that a layer's accumulators become.
AlignedVector<std::int8_t> requantize(const IntegerLayer& layer, std::span<const float> accumulators);

}  // namespace linnet::quantize
