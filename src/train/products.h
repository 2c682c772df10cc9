// The matrix products of a dense layer, of float32 or of bfloat16: how their operands lie, and which kernels
// they are.
#pragma once

#include "cpu/kernels/convolution/convolution_f32.h"
#include "train/layer.h"

namespace linnet::train {

/// T: what is multiplied.
template <class T>
class Products;

template <>
class Products<float> {
 public:
  Products(const Machine& machine, std::span<const float> weight, int k, int depth)
      : machine_(machine), weight_(weight), k_(k), depth_(depth) {}

  static std::ptrdiff_t row(int c) { return pitch(c); }  ///< values from one row of c values to the next
  static int zeros(int) { return 0; }                    ///< values behind a row of c values that are zero
  static std::int64_t block(int c) { return block_pixels(c); }
  static float* operand(float* scratch) { return scratch; }
  std::int64_t pairs() const { return 0; }
  int panels(bool transposed) const {
    return cpu::count_panels(machine_.kernels.width, transposed ? depth_ : k_);
  }
  /// Output channels of these panels.
  Range channels(bool transposed, Range panels) const {
    const int k = transposed ? depth_ : k_;
    const int width = machine_.kernels.width;
    const auto before = [&](std::int64_t panel) {
      return std::min(k, cpu::vectors_before(width, k, static_cast<int>(panel)) * width);
    };
    return {before(panels.begin), before(panels.end)};
  }

  static Rows fetch(const Value& value, std::int64_t pixel, std::int64_t pixels, float* scratch,
                    std::ptrdiff_t row) {
    return value.fetch(pixel, pixels, scratch, row);
  }
  static Rows fetch_gradient(const Value& value, std::int64_t pixel, std::int64_t pixels, float* scratch) {
    return value.fetch_gradient(pixel, pixels, scratch, row(value.shape.c));
  }

  /// This thread's part of the weights for y = x times their transpose, or for x = y times them.
  void pack(int thread, bool transposed, const float* bias, AlignedVector<float>& packed) const {
    const int k = transposed ? depth_ : k_;
    const int width = machine_.kernels.width;
    const Range part = split(panels(transposed), thread, machine_.threads);
    cpu::pack_panels_f32({.width = width,
                          .k = k,
                          .depth = transposed ? k_ : depth_,
                          .weight = weight_.data(),
                          .transposed = transposed,
                          .bias = bias,
                          .packed = packed.data()},
                         static_cast<int>(part.begin), static_cast<int>(part.end));
  }
  std::size_t packed_size(bool transposed) const {
    return cpu::packed_size(machine_.kernels.width, transposed ? depth_ : k_, transposed ? k_ : depth_);
  }
  /// Panels [begin, end) of y[pixels, k] = x[pixels, depth] times the packed weights; the other way round
  /// where `transposed`.
  void run(bool transposed, const Rows& x, const AlignedVector<float>& packed, const float* /*bias*/,
           float* y, std::int64_t pixels, Range panels) const {
    if (panels.begin == panels.end) return;  // the kernel cuts its work by their number
    const int k = transposed ? depth_ : k_;
    machine_.kernels.pointwise.run({.x = x.data,
                                    .x_pixel = x.pixel,
                                    .x_run = 0,
                                    .runs = 1,
                                    .run = transposed ? k_ : depth_,
                                    .packed = packed.data(),
                                    .residual = nullptr,
                                    .y = y,
                                    .pixels = static_cast<int>(pixels),
                                    .k = k,
                                    .panel_begin = static_cast<int>(panels.begin),
                                    .panel_end = static_cast<int>(panels.end),
                                    .fetch = nullptr,
                                    .fetch_bytes = 0,
                                    .finish = cpu::Finish::kNone});
  }
  /// Of output channels [begin, end).
  void weight_gradient(const Rows& dy, const Rows& x, std::int64_t pixels, float* dw, bool accumulate,
                       cpu::Bf16* /*pairs*/, Range channels) const {
    machine_.train.weight_gradient({.dy = dy.data + channels.begin,
                                    .dy_pixel = dy.pixel,
                                    .x = x.data,
                                    .x_pixel = x.pixel,
                                    .pixels = static_cast<int>(pixels),
                                    .k = static_cast<int>(channels.end - channels.begin),
                                    .c = depth_,
                                    .dw = dw + channels.begin * depth_,
                                    .accumulate = accumulate});
  }

 private:
  const Machine& machine_;
  std::span<const float> weight_;
  int k_;      ///< output channels
  int depth_;  ///< R * S * C
};

/// Needs Machine::products.
template <>
class Products<cpu::Bf16> {
 public:
  using Bf16 = cpu::Bf16;
  Products(const Machine& machine, std::span<const float> weight, int k, int depth)
      : machine_(machine), weight_(weight), k_(k), depth_(depth) {}

  static std::ptrdiff_t row(int c) { return cpu::pitch_bf16(c); }
  static int zeros(int c) { return cpu::whole_depth_bf16(c) - c; }
  /// Tiles are fast: more pixels, so that weights and their gradients are worth bringing.
  static std::int64_t block(int c) { return std::clamp<std::int64_t>(128 * 1024 / (2 * c), 128, 512); }
  static Bf16* operand(float* scratch) { return reinterpret_cast<Bf16*>(scratch); }
  std::int64_t pairs() const {
    return static_cast<std::int64_t>(cpu::weight_gradient_scratch_bf16(k_, depth_));
  }
  int panels(bool transposed) const { return cpu::count_panels_bf16(transposed ? depth_ : k_); }
  Range channels(bool transposed, Range panels) const {
    const std::int64_t k = transposed ? depth_ : k_;
    return {std::min(k, panels.begin * cpu::kBf16Channels), std::min(k, panels.end * cpu::kBf16Channels)};
  }

  static RowsOf<Bf16> fetch(const Value& value, std::int64_t pixel, std::int64_t pixels, Bf16* scratch,
                            std::ptrdiff_t row) {
    return value.fetch(pixel, pixels, scratch, row, row == value.shape.c ? 0 : zeros(value.shape.c));
  }
  static RowsOf<Bf16> fetch_gradient(const Value& value, std::int64_t pixel, std::int64_t pixels,
                                     Bf16* scratch) {
    return value.fetch_gradient(pixel, pixels, scratch, row(value.shape.c), zeros(value.shape.c));
  }

  void pack(int thread, bool transposed, const float* /*bias*/, AlignedVector<Bf16>& packed) const {
    const Range part = split(panels(transposed), thread, machine_.threads);
    machine_.products->pack({.k = transposed ? depth_ : k_,
                             .depth = transposed ? k_ : depth_,
                             .weight = weight_.data(),
                             .transposed = transposed,
                             .packed = packed.data(),
                             .panel_begin = static_cast<int>(part.begin),
                             .panel_end = static_cast<int>(part.end)});
  }
  std::size_t packed_size(bool transposed) const {
    return transposed ? cpu::packed_size_bf16(depth_, k_) : cpu::packed_size_bf16(k_, depth_);
  }
  void run(bool transposed, const RowsOf<Bf16>& x, const AlignedVector<Bf16>& packed, const float* bias,
           float* y, std::int64_t pixels, Range panels) const {
    machine_.products->product({.x = x.data,
                                .x_pixel = x.pixel,
                                .pixels = static_cast<int>(pixels),
                                .depth = transposed ? k_ : depth_,
                                .packed = packed.data(),
                                .bias = bias,
                                .y = y,
                                .k = transposed ? depth_ : k_,
                                .panel_begin = static_cast<int>(panels.begin),
                                .panel_end = static_cast<int>(panels.end)});
  }
  void weight_gradient(const RowsOf<Bf16>& dy, const RowsOf<Bf16>& x, std::int64_t pixels, float* dw,
                       bool accumulate, Bf16* pairs, Range channels) const {
    machine_.products->weight_gradient({.dy = dy.data + channels.begin,
                                        .dy_pixel = dy.pixel,
                                        .x = x.data,
                                        .x_pixel = x.pixel,
                                        .pixels = static_cast<int>(pixels),
                                        .k = static_cast<int>(channels.end - channels.begin),
                                        .c = depth_,
                                        .dw = dw + channels.begin * depth_,
                                        .accumulate = accumulate,
                                        .scratch = pairs});
  }

 private:
  const Machine& machine_;
  std::span<const float> weight_;
  int k_;
  int depth_;
};

}  // namespace linnet::train
