// A value of the network while it trains: what a layer wrote, and the batch norm and activation behind it.
//
// Only what the layer wrote, z, is stored, for the whole batch. What the next layer reads, y =
// activation(batch_norm(z)), is computed again wherever it is read, a block of pixels at a time while the
// block is in the cache; so is the gradient of z from that of the batch norm's output. Pixels are numbered
// through the batch: image * H * W + h * W + w.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/shape.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/kernels_train.h"

namespace linnet::train {

/// What every part of a network knows.
struct Machine {
  const cpu::Kernels& kernels;
  const cpu::KernelsTrain& train;
  int threads;
  // Of the step that runs:
  int images = 0;
  bool training = false;
  std::uint64_t step = 0;  ///< counts the forward passes in training
  bool frozen = false;     ///< batch norms keep to their running statistics
  // Quantisation-aware training:
  std::vector<float*> blocks = {};  ///< a thread's room for kQuantizedBlocks blocks
};

/// Blocks of a value's gradient on its way through its grids, and how large they are.
constexpr int kQuantizedBlocks = 4;
constexpr std::int64_t block_pixels_quantized(std::int64_t c) { return std::max<std::int64_t>(1, 8192 / c); }

class ValueQuantizer;

/// Values from one row of c values to the next in scratch memory: whole cache lines, and one more, so that
/// the rows of a block do not fight for the same lines of the L1 cache.
constexpr std::ptrdiff_t pitch(int c) { return (std::ptrdiff_t{c} + 15) / 16 * 16 + 16; }

/// Rows of values, `pixel` values from one to the next.
struct Rows {
  const float* data;
  std::ptrdiff_t pixel;
};

/// A batch norm: its constants, its statistics of the batch, and what they make of a value.
struct Norm {
  float epsilon;
  float momentum;  ///< the share of the batch in the running statistics
  std::span<const float> scale;
  std::span<const float> offset;
  std::span<float> d_scale;
  std::span<float> d_offset;
  std::span<float> running_mean;
  std::span<float> running_variance;

  // v = z * multiply + add
  AlignedVector<float> mean = {};
  AlignedVector<float> deviation = {};  ///< sqrt(variance + epsilon)
  AlignedVector<float> multiply = {};
  AlignedVector<float> add = {};
  // dz = dv * multiply + z * by_value + constant
  AlignedVector<float> by_value = {};
  AlignedVector<float> constant = {};
};

class Value {
 public:
  Value(const Machine& machine, Shape shape, cpu::Finish finish);

  const Shape shape;
  cpu::Finish finish;
  std::vector<Norm> norm;     ///< one, or none
  std::span<float> d_bias;    ///< of the layer that writes z, where no norm follows; or empty
  float* z = nullptr;         ///< [batch, H, W, C]
  float* gradient = nullptr;  ///< of the norm's output, [batch, H, W, C]; nullptr: nobody asks for it
  bool needs_gradient = true;
  ValueQuantizer* before = nullptr;  ///< the grid that the activation reads from, where there is one
  ValueQuantizer* after = nullptr;   ///< the grid of y, where there is one

  /// y is z.
  bool plain() const { return norm.empty() && finish == cpu::Finish::kNone && !quantized(); }
  bool quantized() const { return before || after; }
  float* at(std::int64_t pixel) const { return z + pixel * shape.c; }

  // Forward. Threads may call observe() and fetch() at once, each with its own number and pixels.
  /// After a layer wrote these pixels of z.
  void observe(int thread, std::int64_t pixel, std::int64_t pixels);
  /// After all of z was written: statistics of the batch, or the running ones where none is trained.
  void close_forward();
  /// y of these pixels: in `scratch`, rows `row` apart, or where it is stored anyway.
  Rows fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;

  /// The first pixels of what is on one of the two grids, [pixels, C].
  void read(const ValueQuantizer& grid, std::int64_t pixels, float* y) const;

  // Backward.
  /// A reader's gradient of y for these pixels, [pixels, C]; the first and the last of its readers say so.
  void deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, bool first, bool last);
  /// After the last reader delivered everything: the gradients of scale, offset and bias.
  void close_backward();
  /// The gradient of z for these pixels, as fetch().
  Rows fetch_gradient(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;

 private:
  /// One thread's sums over its pixels.
  struct Sums {
    std::int64_t pixels = 0;
    AlignedVector<float> shift;
    AlignedVector<float> block_first;
    AlignedVector<float> block_second;
    std::vector<double> first;
    std::vector<double> second;
    void add_block(std::int64_t count);
    void clear();
  };
  struct ActivationStep {
    const float* d;
    const float* z;
    const Norm* norm;
    float* dv;
    std::int64_t pixels;
    cpu::Finish finish;
  };
  void close_statistics(Norm& n);
  void normalise_to(std::int64_t pixel, std::int64_t pixels, cpu::Finish by, float* y,
                    std::ptrdiff_t row) const;
  // value_quantized.cpp:
  Rows fetch_quantized(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;
  void deliver_quantized(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, bool first);
  void activate(const float* x, std::int64_t pixels, float* y) const;
  void through_activation(Sums& s, const ActivationStep& a) const;

  const Machine& machine_;
  std::vector<Sums> sums_;  ///< one a thread
};

/// How a layer reads a value.
struct Edge {
  Value* value = nullptr;
  bool first = true;  ///< of the value's readers, the first that delivers its gradient
  bool last = true;

  void deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy) const {
    if (value->needs_gradient) value->deliver(thread, pixel, pixels, dy, first, last);
  }
};

}  // namespace linnet::train
