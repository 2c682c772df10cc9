// A value of the network while it trains: what a layer wrote, and the batch norm and activation behind it.
//
// Only what the layer wrote, z, is stored, for the whole batch. What the next layer reads, y =
// activation(batch_norm(z)), is computed again wherever it is read, a block of pixels at a time while the
// block is in the cache; so is the gradient of z from that of the batch norm's output. Pixels are numbered
// through the batch: image * H * W + h * W + w.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/shape.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/kernels_train.h"
#include "train/collective.h"

namespace linnet::train {

/// What every part of a network knows.
struct Machine {
  const cpu::Kernels& kernels;
  const cpu::KernelsTrain& train;
  int threads;
  Collective* norms = nullptr;  ///< joins batch norms' statistics; nullptr: they are of these images alone
  // Of the step that runs:
  int images = 0;
  std::int64_t first_image = 0;  ///< what they count from in the batch of all ranks
  bool training = false;
  bool restating = false;  ///< Network::restate_norms()
  std::uint64_t step = 0;  ///< counts the forward passes in training
};

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
  float momentum;       ///< the share of the batch in the running statistics
  bool frozen = false;  ///< takes the running statistics also in training, and leaves them as they are
  std::span<float> scale;
  std::span<float> offset;
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
  std::vector<Norm> norm;   ///< one, or none
  std::span<float> d_bias;  ///< of the layer that writes z, where no norm follows but a frozen one; or empty
  float* z = nullptr;       ///< [batch, H, W, C]
  float* gradient = nullptr;  ///< of the norm's output, [batch, H, W, C]; nullptr: nobody asks for it
  bool needs_gradient = true;

  /// y is z.
  bool plain() const { return norm.empty() && finish == cpu::Finish::kNone; }
  float* at(std::int64_t pixel) const { return z + pixel * shape.c; }

  // Forward. Threads may call observe() and fetch() at once, each with its own number and pixels.
  /// After a layer wrote these pixels of z.
  void observe(int thread, std::int64_t pixel, std::int64_t pixels);
  /// After all of z was written: statistics of the batch, or the running ones where none is trained.
  void close_forward();
  /// y of these pixels: in `scratch`, rows `row` apart, or where it is stored anyway.
  Rows fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;

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
  void close_statistics(Norm& n);
  void close_norm_gradient(Norm& n);
  void restate(Norm& n);

  const Machine& machine_;
  std::vector<Sums> sums_;  ///< one a thread
  // A norm's, [C]; of these images at first, then of all that it normalises together:
  double pixels_ = 0;
  std::vector<double> means_, squares_;
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
