// The three matrix products of a dense layer in mixed precision: operands of bfloat16, sums of float32.
//
// Rows of x and dy are a block of pixels in scratch memory. Behind the values of a row there are zeros up to
// kBf16Depth of them, and a row begins at every multiple of the pitch: pitch_bf16(). Behind the last row as
// many rows can be read as make whole tiles of kBf16Rows, whatever they hold.
#pragma once

#include <cstddef>

#include "cpu/kernels/half.h"

namespace linnet::cpu {

inline constexpr int kBf16Depth = 32;     ///< values of depth that are multiplied at once
inline constexpr int kBf16Rows = 32;      ///< rows that are read together
inline constexpr int kBf16Channels = 32;  ///< output channels of a panel of packed weights

constexpr int whole_depth_bf16(int depth) { return (depth + kBf16Depth - 1) / kBf16Depth * kBf16Depth; }
constexpr std::ptrdiff_t whole_rows_bf16(std::ptrdiff_t rows) {
  return (rows + kBf16Rows - 1) / kBf16Rows * kBf16Rows;
}
/// Values from one row to the next: a cache line more than the row has, so that rows do not fight for the
/// same lines of the L1 cache.
constexpr std::ptrdiff_t pitch_bf16(int depth) { return std::ptrdiff_t{whole_depth_bf16(depth)} + 32; }

constexpr int count_panels_bf16(int k) { return (k + kBf16Channels - 1) / kBf16Channels; }
/// Values that all panels take.
constexpr std::size_t packed_size_bf16(int k, int depth) {
  return static_cast<std::size_t>(count_panels_bf16(k)) * kBf16Channels *
         static_cast<std::size_t>(whole_depth_bf16(depth));
}

/// Panels [panel_begin, panel_end) of packed weights, rounded to nearest: a panel is [whole depth / 2,
/// kBf16Channels, 2], with zeros where weights end.
struct PackBf16 {
  int k;                ///< output channels
  int depth;            ///< of each
  const float* weight;  ///< [k, depth]; [depth, k] where `transposed`, for the gradient of the input
  bool transposed;
  Bf16* packed;  ///< on a cache line
  int panel_begin;
  int panel_end;
};

/// y[p, k] = bias[k] + sum over d of x[p, d] * w[k, d]
struct ProductBf16 {
  const Bf16* x;
  std::ptrdiff_t x_pixel;  ///< values from one row to the next
  int pixels;
  int depth;
  const Bf16* packed;  ///< all panels
  const float* bias;   ///< [k], or nullptr
  float* y;            ///< [pixels, k]
  int k;
  int panel_begin;  ///< panels [panel_begin, panel_end) are computed
  int panel_end;
};

/// dw[k, c] = sum over p of dy[p, k] * x[p, c], added to what dw holds where `accumulate` is set. Behind the
/// last of k values of dy there may be others than zeros.
struct WeightGradientBf16 {
  const Bf16* dy;
  std::ptrdiff_t dy_pixel;  ///< values from one row to the next
  const Bf16* x;
  std::ptrdiff_t x_pixel;
  int pixels;
  int k;
  int c;
  float* dw;  ///< [k, c]
  bool accumulate;
  Bf16* scratch;  ///< weight_gradient_scratch_bf16() values, on a cache line
};

/// Pixels that weight gradients are summed over before they go to dw.
inline constexpr int kWeightGradientPixelsBf16 = 256;
constexpr std::size_t weight_gradient_scratch_bf16(int k, int c) {
  return static_cast<std::size_t>(whole_depth_bf16(k) + whole_depth_bf16(c)) * kWeightGradientPixelsBf16;
}

}  // namespace linnet::cpu
