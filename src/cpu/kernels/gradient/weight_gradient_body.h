// The one body of weight_gradient_f32, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/gradient/weight_gradient_f32.h"

namespace linnet::cpu {
namespace {

/// Vectors of input channels of a tile. A vector of one value stays alone: of pairs g++ 12 makes vectors
/// itself, and reads two values behind the last row.
template <class V>
constexpr int weight_gradient_vectors() {
  return V::kWidth == 1 ? 1 : 2;
}
/// Pixels whose x, two vectors each, stay in the L1 cache while all of k passes over them.
constexpr int kWeightGradientPixels = 128;

/// The most output channels of a tile whose accumulators, a row of x and one broadcast value fit the
/// registers.
template <class V>
constexpr int max_weight_gradient_rows() {
  return V::kRegisters == 32 ? 12 : 6;
}

/// kRows output channels by kVectors vectors of input channels, the last of them with `lanes` channels.
template <class V, int kRows, int kVectors, bool kPartial>
void weight_gradient_tile(const WeightGradientF32& a, int lanes) {
  constexpr int kLast = kVectors - 1;
  V acc[kRows][kVectors];
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) acc[i][j] = V::zero();

  const float* x = a.x;
  const float* dy = a.dy;
  for (int p = 0; p < a.pixels; ++p, x += a.x_pixel, dy += a.dy_pixel) {
    V b[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kLast; ++j) b[j] = V::load(x + j * V::kWidth);
    b[kLast] = kPartial ? V::load_partial(x + kLast * V::kWidth, lanes) : V::load(x + kLast * V::kWidth);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const V d = V::set(dy[i]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[i][j] = fma(d, b[j], acc[i][j]);
    }
  }

#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
    float* dw = a.dw + static_cast<std::ptrdiff_t>(i) * a.c;
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j, dw += V::kWidth) {
      const bool partial = kPartial && j == kLast;
      if (a.accumulate) acc[i][j] = acc[i][j] + (partial ? V::load_partial(dw, lanes) : V::load(dw));
      if (partial)
        acc[i][j].store_partial(dw, lanes);
      else
        acc[i][j].store(dw);
    }
  }
}

/// Runs the tile of exactly `rows` output channels.
template <class V, int kVectors, bool kPartial, int kRows = max_weight_gradient_rows<V>()>
void run_weight_gradient_tile(int rows, const WeightGradientF32& a, int lanes) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_weight_gradient_tile<V, kVectors, kPartial, kRows - 1>(rows, a, lanes);
  }
  weight_gradient_tile<V, kRows, kVectors, kPartial>(a, lanes);
}

/// All output channels of kVectors vectors of input channels, in tiles as even as they can be.
template <class V, int kVectors, bool kPartial>
void weight_gradient_column(WeightGradientF32 a, int channel, int lanes) {
  constexpr int kMaxRows = max_weight_gradient_rows<V>();
  a.x += channel;
  a.dw += channel;
  int left = a.k;
  for (int tiles = (a.k + kMaxRows - 1) / kMaxRows; tiles > 0; --tiles) {
    const int rows = (left + tiles - 1) / tiles;
    run_weight_gradient_tile<V, kVectors, kPartial>(rows, a, lanes);
    left -= rows;
    a.dy += rows;
    a.dw += static_cast<std::ptrdiff_t>(rows) * a.c;
  }
}

template <class V>
void weight_gradient_f32(const WeightGradientF32& whole) {
  WeightGradientF32 a = whole;
  for (int left = whole.pixels; left > 0; left -= a.pixels) {
    a.pixels = left < kWeightGradientPixels ? left : kWeightGradientPixels;
    constexpr int kVectors = weight_gradient_vectors<V>();
    int channel = 0;
    for (; channel + kVectors * V::kWidth <= a.c; channel += kVectors * V::kWidth)
      weight_gradient_column<V, kVectors, false>(a, channel, V::kWidth);
    for (; channel + V::kWidth <= a.c; channel += V::kWidth)
      weight_gradient_column<V, 1, false>(a, channel, V::kWidth);
    if constexpr (V::kWidth > 1) {
      if (channel < a.c) weight_gradient_column<V, 1, true>(a, channel, a.c - channel);
    }
    a.x += a.pixels * a.x_pixel;
    a.dy += a.pixels * a.dy_pixel;
    a.accumulate = true;
  }
}

}  // namespace
}  // namespace linnet::cpu
