// The one body of convolution_f32, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_f32.h"
#include "cpu/kernels/finish_body.h"

namespace linnet::cpu {
namespace {

/// The most rows (pixels) of a tile whose accumulators, one row of weights and one broadcast value fit the
/// registers.
template <class V>
constexpr int max_tile_rows(int vectors) {
  if (V::kRegisters == 32) return vectors == 3 ? 9 : 14;
  return vectors == 1 ? 12 : vectors == 2 ? 6 : 4;
}

/// How far ahead of the multiply-adds weights are fetched, in rows of a panel.
constexpr int kPrefetchRows = 16;

/// One tile: kRows pixels by kVectors vectors of output channels, all of the depth.
struct ConvolutionTile {
  const float* x;
  std::ptrdiff_t x_pixel;
  std::ptrdiff_t x_run;
  int runs;
  int run;
  const float* packed;
  const float* residual;
  float* y;
  std::ptrdiff_t y_pixel;
  int last_lanes;  ///< channels in the last vector
  Finish finish;
};

template <class V, int kRows, int kVectors>
void convolution_tile(const ConvolutionTile& t) {
  V acc[kRows][kVectors];
  const float* w = t.packed;
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const V bias = V::load(w + j * V::kWidth);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) acc[i][j] = bias;
  }
  w += kVectors * V::kWidth;

  for (int r = 0; r < t.runs; ++r) {
    // A pointer for every third row: the two between are reached by the addressing mode.
    constexpr int kPointers = (kRows + 2) / 3;
    const float* x[kPointers];
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) x[i] = t.x + r * t.x_run + 3 * i * t.x_pixel;
    for (int d = 0; d < t.run; ++d) {
      V b[kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        b[j] = V::load(w + j * V::kWidth);
        // Panels come from the L2 cache or further, faster than the hardware looks ahead.
        __builtin_prefetch(w + (kPrefetchRows * kVectors + j) * V::kWidth);
      }
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) {
        const V a = V::set(x[i / 3][(i % 3) * t.x_pixel]);
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) acc[i][j] = fma(a, b[j], acc[i][j]);
      }
      w += kVectors * V::kWidth;
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) ++x[i];
    }
  }

  constexpr int kLast = kVectors - 1;
  if (t.residual) {
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const float* residual = t.residual + i * t.y_pixel;
#pragma GCC unroll 8
      for (int j = 0; j < kLast; ++j) acc[i][j] = acc[i][j] + V::load(residual + j * V::kWidth);
      acc[i][kLast] = acc[i][kLast] + V::load_partial(residual + kLast * V::kWidth, t.last_lanes);
    }
  }
  apply_finish(t.finish, acc);
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i) {
    float* y = t.y + i * t.y_pixel;
#pragma GCC unroll 8
    for (int j = 0; j < kLast; ++j) acc[i][j].store(y + j * V::kWidth);
    if (t.last_lanes == V::kWidth)
      acc[i][kLast].store(y + kLast * V::kWidth);
    else
      acc[i][kLast].store_partial(y + kLast * V::kWidth, t.last_lanes);
  }
}

/// Runs the tile function of exactly `rows` rows.
template <class V, int kVectors, int kRows = max_tile_rows<V>(kVectors)>
void run_tile(int rows, const ConvolutionTile& t) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile<V, kVectors, kRows - 1>(rows, t);
  }
  convolution_tile<V, kRows, kVectors>(t);
}

/// One panel for pixels [begin, end): tiles as even as they can be, so that none is left nearly empty.
template <class V, int kVectors>
void convolution_panel(const ConvolutionF32& a, ConvolutionTile t, int begin, int end) {
  constexpr int kMaxRows = max_tile_rows<V>(kVectors);
  for (int tiles = (end - begin + kMaxRows - 1) / kMaxRows; tiles > 0; --tiles) {
    const int rows = (end - begin + tiles - 1) / tiles;
    const std::ptrdiff_t offset = begin * t.y_pixel;
    ConvolutionTile tile = t;
    tile.x = a.x + begin * a.x_pixel;
    tile.y = t.y + offset;
    tile.residual = t.residual ? t.residual + offset : nullptr;
    run_tile<V, kVectors>(rows, tile);
    begin += rows;
  }
}

template <class V>
void convolution_f32(const ConvolutionF32& a) {
  const int depth = a.runs * a.run;
  const int vectors = (a.k + V::kWidth - 1) / V::kWidth;
  const int panels = vectors / kPanelVectors > 1 ? vectors / kPanelVectors : 1;
  // Pixels whose inputs stay in the L2 cache while every panel passes over them.
  constexpr int kBlockBytes = 256 * 1024;
  const std::ptrdiff_t pixel_bytes = static_cast<std::ptrdiff_t>(a.x_pixel > a.run ? a.x_pixel : a.run) * 4;
  const std::ptrdiff_t fitting = kBlockBytes / (pixel_bytes > 0 ? pixel_bytes : 1);
  const int block = fitting < 42 ? 42 : fitting > a.pixels ? a.pixels : static_cast<int>(fitting);

  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    for (int panel = a.panel_begin; panel < a.panel_end; ++panel) {
      const int first = panel * kPanelVectors;
      const int wide = panel + 1 == panels ? vectors - first : kPanelVectors;
      ConvolutionTile t = {};
      t.x_pixel = a.x_pixel;
      t.x_run = a.x_run;
      t.runs = a.runs;
      t.run = a.run;
      t.packed = a.packed + static_cast<std::ptrdiff_t>(first) * V::kWidth * (depth + 1);
      t.residual = a.residual ? a.residual + first * V::kWidth : nullptr;
      t.y = a.y + first * V::kWidth;
      t.y_pixel = a.k;
      const int columns = a.k - first * V::kWidth;
      t.last_lanes = columns < wide * V::kWidth ? columns - (wide - 1) * V::kWidth : V::kWidth;
      t.finish = a.finish;
      if (wide == 1)
        convolution_panel<V, 1>(a, t, begin, end);
      else if (wide == 2)
        convolution_panel<V, 2>(a, t, begin, end);
      else
        convolution_panel<V, 3>(a, t, begin, end);
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
