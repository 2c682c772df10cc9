// The grid of a tensor while it trains: values as int8 will store them, and the gradient of the scale.
//
// A grid's zero point stays; its scale is learned: that of what a relu limits as the largest value that it
// holds (Choi et al., "PACT", 2018), any other as the step from one stored value to the next (Esser et al.,
// "Learned step size quantization", 2020), with that paper's scale of the gradient, 1 / sqrt(values *
// levels). cpu/kernels/fake_quantize has the formulas.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "graph/graph.h"
#include "train/layer.h"

namespace linnet::train {

/// What of a grid is learned.
enum class GridRule {
  kFixed,  ///< nothing: the images'
  kClip,   ///< the largest value
  kStep,   ///< the step
};

/// Of a value, or of what it is before its activation.
class ValueQuantizer {
 public:
  /// `learned` is the largest value, or the step; all spans are of one value. `values`: of one image.
  ValueQuantizer(const Machine& machine, GridRule rule, std::int64_t values, std::span<float> learned,
                 std::span<float> gradient, std::span<float> zero_point);

  void set(const Quantization& q);
  Quantization get() const;

  // Threads may call these at once, each with its own number.
  /// Rows of c values as they are when they were stored; x may be y.
  void apply(const float* x, std::ptrdiff_t x_pixel, float* y, std::ptrdiff_t y_pixel, std::int64_t pixels,
             int c) const;
  /// d is the gradient of apply(x), and becomes that of x; both [n].
  void through(int thread, const float* x, float* d, std::int64_t n);
  /// After all of through(): the gradient of what is learned.
  void close();

 private:
  cpu::GridF32 grid() const;

  const Machine& machine_;
  GridRule rule_;
  double values_;
  std::span<float> learned_, gradient_, zero_point_;
  struct Sums {
    double inside = 0, clipped = 0;
  };
  std::vector<Sums> sums_;  ///< one a thread
};

/// Of a layer's weights, a step an output channel, no zero point. A learned step stays between 3/4 and
/// four times of the one that just clips none of the channel's weights: those of a depthwise channel are so
/// few that their gradients would soon take it to where all of them are stored as zero. A channel's batch
/// norm, folded, scales its weights and its step alike and so leaves the stored integers: these weights need
/// not be folded to be quantized as they will be exported.
class WeightQuantizer {
 public:
  /// weights: those of the layer, `channels_last` as graph/quantized.h says. step, d_step: [channels].
  WeightQuantizer(const Machine& machine, const Weights& weights, bool channels_last, std::span<float> step,
                  std::span<float> d_step);

  /// Of a channel as its weights are now, above zero.
  float step_of(std::size_t channel) const;
  /// The weights as they are when they were stored, since the last apply().
  std::span<const float> quantized() const { return quantized_; }

  // Every thread calls these once.
  void apply(int thread);
  /// Turns the gradient of the quantized weights into that of the weights, in place, and writes the steps'.
  void through(int thread);

 private:
  cpu::GridF32 grid(std::size_t channel) const;
  template <class Job>
  void for_each_channel(int thread, Job job);

  const Machine& machine_;
  Weights weights_;
  bool channels_last_;
  std::span<float> step_, d_step_;
  std::size_t taps_;  ///< weights a channel
  AlignedVector<float> quantized_;
  std::vector<AlignedVector<float>> rows_;  ///< one a thread, two channels long
};

}  // namespace linnet::train
