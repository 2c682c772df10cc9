// Runs a plan for a number of bytes of RAM: pixels in raster order, each layer as soon as its inputs are
// there, all of it inside one arena of exactly the plan's size.
//
// It is no fast path: one thread, a few pixels at a time, and depthwise layers by the kernels of any window,
// since a ring of pixels wraps within a row. The values are those of every other run, bit for bit.
#pragma once

#include <span>
#include <vector>

#include "cpu/layer.h"
#include "plan/walk.h"

namespace linnet::cpu {

/// float32 and int8 graphs. Depthwise layers must have been made for any window: of any_window().
class StreamedPlan {
 public:
  /// The graph, the plan and the layers, one a node of the graph, must outlive this one.
  StreamedPlan(const Graph& graph, const plan::Plan& plan, std::span<const std::unique_ptr<Layer>> layers,
               const KernelsS8& kernels);

  /// One image. `arena`: plan.arena_bytes on a cache line. seconds, where given, has one value a node, to
  /// which is added what its layer took. Allocates nothing.
  void run(std::byte* arena, std::span<const float> image, std::span<float> scores,
           std::span<double> seconds = {});

 private:
  /// Pixels in a ring, or all of them.
  struct Ring {
    std::int64_t offset = 0;  ///< in the arena; kImage: the caller's image
    std::int64_t pixels = 0;
    std::int64_t pixel_bytes = 0;
    static constexpr std::int64_t kImage = -1;
  };
  enum class Work { kConvert, kPixels, kWindows, kColumns, kPool, kPad };
  struct Step {
    Work work;
    const Layer* layer;
    NodeId node;
    Ring a, b, residual, y;
    std::int64_t scratch;  ///< offsets in the arena
    std::int64_t sums;
    plan::Link window;  ///< of input a
    std::byte padding;  ///< each byte of a value outside the image
    linnet_multiplier average;
  };
  struct Stage {
    plan::Walk walk;
    std::vector<Step> steps;  ///< one a layer
  };
  /// Where a run's memory is.
  struct Memory {
    std::byte* arena;
    const float* image;
  };

  Step step_of(const plan::Plan& plan, int stage, const plan::Layer& layer,
               std::span<const std::unique_ptr<Layer>> layers) const;
  Ring ring_of(const plan::Plan& plan, int stage, NodeId value) const;
  std::byte* at(const Memory& m, const Ring& ring, std::int64_t pixel) const;
  void run_tile(const Memory& m, const Step& step, std::int64_t begin, std::int64_t end) const;
  void convert(const Memory& m, const Step& step, std::int64_t pixel, std::int64_t n) const;
  void run_windows(const Memory& m, const Step& step, LayerIo io, std::int64_t pixel, std::int64_t n) const;
  void add_up(const Memory& m, const Step& step, std::int64_t pixel, std::int64_t n) const;
  void finish_pool(const Memory& m, const Step& step) const;
  void pad(const Memory& m, const Step& step, std::int64_t pixel) const;

  const Graph& graph_;
  const KernelsS8& kernels_;
  std::int64_t value_bytes_;
  std::int64_t scores_offset_ = Ring::kImage;
  std::vector<Stage> stages_;
};

/// The tables with kernels of any window alone for depthwise layers.
Kernels any_window(Kernels kernels);
KernelsS8 any_window(KernelsS8 kernels);

/// The scratch that a layer's kernel and the gathering of its windows take for `pixels` at once.
std::int64_t streamed_scratch(const Graph& graph, const Layer& layer, NodeId node, std::int64_t value_bytes,
                              std::int64_t pixels);

}  // namespace linnet::cpu
