// A value of the network while it trains: what a layer wrote, and the batch norm and activation behind it.
//
// Only what the layer wrote, z, is stored, for the whole batch. What the next layer reads, y =
// activation(batch_norm(z)), is computed again wherever it is read, a block of pixels at a time while the
// block is in the cache; so is the gradient of z from that of the batch norm's output. Pixels are numbered
// through the batch: image * H * W + h * W + w.
//
// In mixed precision z and the gradient are stored as bfloat16, each rounded once. Layers see float32 all the
// same, but for those that multiply bfloat16.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/shape.h"
#include "base/thread_pool.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/kernels_train.h"
#include "train/collective.h"

namespace linnet::train {

/// What every part of a network knows.
struct Machine {
  const cpu::Kernels& kernels;
  const cpu::KernelsTrain& train;
  int threads;
  int batch;  ///< the most images of a step
  // Of mixed precision:
  bool mixed = false;
  const cpu::BatchNormKernels<cpu::Bf16>& batch_norm_bf16;
  const cpu::HalfKernels<cpu::Bf16>& kernels_bf16;
  const cpu::KernelsProductsBf16* products = nullptr;  ///< nullptr: products are float32's
  Collective* norms = nullptr;  ///< joins batch norms' statistics; nullptr: they are of these images alone
  // Of the step that runs:
  int images = 0;
  std::int64_t first_image = 0;  ///< what they count from in the batch of all ranks
  bool training = false;
  bool restating = false;  ///< Network::restate_norms()
  std::uint64_t step = 0;  ///< counts the forward passes in training
  bool frozen = false;     ///< batch norms keep to their running statistics
  // Quantisation-aware training:
  bool grids = false;               ///< values have grids, which take whole pixels
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
template <class T>
struct RowsOf {
  const T* data;
  std::ptrdiff_t pixel;
};
using Rows = RowsOf<float>;

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
  /// `half`: z and the gradient are stored as bfloat16, else as float32.
  Value(const Machine& machine, Shape shape, cpu::Finish finish, bool half);

  const Shape shape;
  const bool half;
  cpu::Finish finish;
  std::vector<Norm> norm;   ///< one, or none
  std::span<float> d_bias;  ///< of the layer that writes z; or empty
  std::byte* z = nullptr;   ///< [batch, H, W, C]
  std::byte* gradient = nullptr;  ///< of the norm's output, [batch, H, W, C]; nullptr: nobody asks for it
  bool needs_gradient = true;
  ValueQuantizer* before = nullptr;  ///< the grid that the activation reads from, where there is one
  ValueQuantizer* after = nullptr;   ///< the grid of y, where there is one

  /// y is z.
  bool plain() const { return norm.empty() && finish == cpu::Finish::kNone && !quantized(); }
  bool quantized() const { return before || after; }
  /// Bytes of z, or of the gradient, for one image.
  std::int64_t image_bytes() const { return shape.size() * (half ? 2 : 4); }

  // Forward. Threads may call store() and fetch() at once, each with its own number and pixels. Or each has
  // its own channels of all pixels, the same ones for a whole pass; rows are whole ones all the same.
  /// Where a layer writes these pixels of z, [pixels, C], before it calls store(): where they are stored, or
  /// in `scratch`.
  float* room(std::int64_t pixel, float* scratch) const;
  void store(int thread, std::int64_t pixel, std::int64_t pixels, const float* written, Range channels);
  void store(int thread, std::int64_t pixel, std::int64_t pixels, const float* written) {
    store(thread, pixel, pixels, written, {0, shape.c});
  }
  /// After all of z was stored: statistics of the batch, or the running ones where none is trained.
  void close_forward();
  /// y of these pixels: in `scratch`, rows `row` apart, or where it is stored anyway.
  Rows fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;
  /// The same rounded, always in `scratch`, with `zeros` zeros behind each row. Needs Machine::products.
  RowsOf<cpu::Bf16> fetch(std::int64_t pixel, std::int64_t pixels, cpu::Bf16* scratch, std::ptrdiff_t row,
                          int zeros) const;

  /// The first pixels of what is on one of the two grids, [pixels, C].
  void read(const ValueQuantizer& grid, std::int64_t pixels, float* y) const;

  // Backward.
  /// A reader's gradient of y for these pixels, [pixels, C]; the first and the last of its readers say so.
  void deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, Range channels,
               bool first, bool last);
  /// After the last reader delivered everything: the gradients of scale, offset and bias.
  void close_backward();
  /// The gradient of z for these pixels, as fetch().
  Rows fetch_gradient(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;
  RowsOf<cpu::Bf16> fetch_gradient(std::int64_t pixel, std::int64_t pixels, cpu::Bf16* scratch,
                                   std::ptrdiff_t row, int zeros) const;

 private:
  /// One thread's sums over its pixels.
  struct Sums {
    Range channels = {0, 0};
    std::int64_t pixels = 0;  ///< of each of these channels
    AlignedVector<float> shift;
    AlignedVector<float> block_first;
    AlignedVector<float> block_second;
    std::vector<double> first;
    std::vector<double> second;
    void add_block(std::int64_t count, Range of);
    std::int64_t pixels_of(std::size_t channel) const;
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
  template <class T>
  T* at(std::byte* values, std::int64_t pixel) const {
    return reinterpret_cast<T*>(values) + pixel * shape.c;
  }
  /// Stores these pixels and channels of `from`, rows of all channels, as bfloat16.
  void round_to(std::byte* to, std::int64_t pixel, std::int64_t pixels, const float* from,
                Range channels) const;
  // T: as what z and the gradient are stored.
  template <class T>
  void store_as(void (*statistics)(const cpu::StatisticsOf<T>&), int thread, std::int64_t pixel,
                std::int64_t pixels, const float* written, Range channels);
  template <class T, class Y>
  void normalise(void (*kernel)(const cpu::NormaliseOf<T, Y>&), std::int64_t pixel, std::int64_t pixels,
                 cpu::Finish by, Y* y, std::ptrdiff_t row, int zeros) const;
  template <class T>
  void deliver_as(void (*kernel)(const cpu::ActivationGradientOf<T>&), int thread, std::int64_t pixel,
                  std::int64_t pixels, const float* dy, Range channels, bool first, bool last);
  template <class T, class Y>
  void normalise_gradient(void (*kernel)(const cpu::NormaliseGradientOf<T, Y>&), std::int64_t pixel,
                          std::int64_t pixels, Y* dz, std::ptrdiff_t row, int zeros) const;
  /// It takes the running statistics, and keeps them.
  bool keeps_statistics(const Norm& n) const { return n.frozen || machine_.frozen; }
  void close_norm_gradient(Norm& n);
  void restate(Norm& n);
  void normalise_to(std::int64_t pixel, std::int64_t pixels, cpu::Finish by, float* y,
                    std::ptrdiff_t row) const;
  // value_quantized.cpp:
  Rows fetch_quantized(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const;
  void deliver_quantized(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, bool first);
  void activate(const float* x, std::int64_t pixels, float* y) const;
  void through_activation(Sums& s, const ActivationStep& a) const;

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

  void deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, Range channels) const {
    if (value->needs_gradient) value->deliver(thread, pixel, pixels, dy, channels, first, last);
  }
  void deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy) const {
    deliver(thread, pixel, pixels, dy, {0, value->shape.c});
  }
};

}  // namespace linnet::train
