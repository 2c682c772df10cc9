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

/// Bytes that one prefetch brings in.
constexpr int kFetchLine = 64;
/// How far ahead of the multiply-adds weights are fetched, in rows of a panel.
constexpr int kPrefetchRows = 16;
/// With few registers a step has few multiply-adds for what it does besides: counters and addresses are
/// shared by four steps. That shows where neighbours keep the core busy, and not on a quiet one.
template <class V>
constexpr bool kUnrollsSteps = V::kRegisters == 16 && V::kWidth > 1;
/// Steps of the depth that the halves of a tile take on their own.
constexpr int kLateSteps = 4;

/// What all tiles of a panel have in common.
struct ConvolutionPanel {
  std::ptrdiff_t x_pixel;
  std::ptrdiff_t x_run;
  int runs;
  int run;
  const float* packed;
  std::ptrdiff_t y_pixel;
  int last_lanes;  ///< channels in the last vector
  int fetch_step;  ///< bytes to fetch a step of the depth, at most a cache line
  Finish finish;
};

/// Adds `steps` products to rows [kBegin, kEnd) of a tile's accumulators; x is the first row's first value.
/// Of the last vector a kNarrow tile computes the low half alone.
template <class V, int kBegin, int kEnd, bool kNarrow, int kRows, int kVectors>
inline __attribute__((always_inline)) void multiply_rows(V (&acc)[kRows][kVectors], const float* first_x,
                                                         std::ptrdiff_t x_pixel, const float* w, int steps,
                                                         const char* fetch, int fetch_step) {
  constexpr int kLast = kVectors - 1;
  // In turn with one whole vector, halves would all fall to the same one of two units: they come apart.
  constexpr bool kApart = kNarrow && kVectors == 2;
  // A pointer for every third row: the two between are reached by the addressing mode.
  constexpr int kPointers = (kEnd - kBegin + 2) / 3;
  const float* x[kPointers];
#pragma GCC unroll 8
  for (int i = 0; i < kPointers; ++i) x[i] = first_x + (kBegin + 3 * i) * x_pixel;
  const auto value = [&](int i) { return x[(i - kBegin) / 3][((i - kBegin) % 3) * x_pixel]; };
  const auto step = [&]() __attribute__((always_inline)) {
    V b[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      b[j] = V::load(w + j * V::kWidth);
      // Panels come from the L2 cache or further, faster than the hardware looks ahead.
      if (j * V::kWidth * sizeof(float) % kFetchLine == 0)
        __builtin_prefetch(w + (kPrefetchRows * kVectors + j) * V::kWidth);
    }
#pragma GCC unroll 32
    for (int i = kBegin; i < kEnd; ++i) {
      const V a = V::set(value(i));
#pragma GCC unroll 8
      for (int j = 0; j < (kNarrow ? kLast : kVectors); ++j) acc[i][j] = fma(a, b[j], acc[i][j]);
      if constexpr (kNarrow && !kApart) acc[i][kLast] = fma_low(a, b[kLast], acc[i][kLast]);
    }
    if constexpr (kApart) {
#pragma GCC unroll 32
      for (int i = kBegin; i < kEnd; ++i)
        acc[i][kLast] = fma_low(V::set_low(value(i)), b[kLast], acc[i][kLast]);
    }
    __builtin_prefetch(fetch, 0, 2);
    fetch += fetch_step;
    w += kVectors * V::kWidth;
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) ++x[i];
  };
  if constexpr (kUnrollsSteps<V>) {
#pragma GCC unroll 4
    for (int d = 0; d < steps; ++d) step();
  } else {
    for (int d = 0; d < steps; ++d) step();
  }
}

/// Finishes rows [kBegin, kEnd) of a tile: residual, activation, store.
template <class V, int kBegin, int kEnd, bool kNarrow, int kRows, int kVectors>
inline __attribute__((always_inline)) void store_rows(const ConvolutionPanel& t, V (&acc)[kRows][kVectors],
                                                      const float* residual, float* y) {
  constexpr int kLast = kVectors - 1;
  constexpr int kLastWidth = kNarrow ? V::kWidth / 2 : V::kWidth;
  if (residual) {
#pragma GCC unroll 32
    for (int i = kBegin; i < kEnd; ++i) {
      const float* row = residual + i * t.y_pixel;
#pragma GCC unroll 8
      for (int j = 0; j < kLast; ++j) acc[i][j] = acc[i][j] + V::load(row + j * V::kWidth);
      acc[i][kLast] = acc[i][kLast] + V::load_partial(row + kLast * V::kWidth, t.last_lanes);
    }
  }
  apply_finish<kBegin, kEnd>(t.finish, acc);
#pragma GCC unroll 32
  for (int i = kBegin; i < kEnd; ++i) {
    float* row = y + i * t.y_pixel;
#pragma GCC unroll 8
    for (int j = 0; j < kLast; ++j) acc[i][j].store(row + j * V::kWidth);
    if (t.last_lanes != kLastWidth)
      acc[i][kLast].store_partial(row + kLast * V::kWidth, t.last_lanes);
    else if constexpr (kNarrow)
      acc[i][kLast].store_low(row + kLast * V::kWidth);
    else
      acc[i][kLast].store(row + kLast * V::kWidth);
  }
}

/// One tile: kRows pixels by kVectors vectors of output channels, all of the depth. Its pointers are
/// arguments: from a struct just written they would be read behind the last tile's stores.
template <class V, int kRows, int kVectors, bool kNarrow>
void convolution_tile(const ConvolutionPanel& t, const float* x, const float* residual, float* y,
                      const char* fetch) {
  V acc[kRows][kVectors];
  const float* w = t.packed;
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) {
    const V bias = V::load(w + j * V::kWidth);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) acc[i][j] = bias;
  }
  w += kVectors * V::kWidth;

  // A burst of many stores keeps the multiply-adds behind it out of the CPU's queues: half of the rows take
  // their last steps and are stored before the other half.
  constexpr int kHalf = kRows * kVectors * V::kWidth > 256 ? kRows / 2 : 0;
  const int late = kHalf == 0 ? 0 : t.run < kLateSteps ? t.run : kLateSteps;
  int steps = t.run;
  for (int r = 0; r < t.runs; ++r) {
    if (r + 1 == t.runs) steps -= late;
    multiply_rows<V, 0, kRows, kNarrow>(acc, x, t.x_pixel, w, steps, fetch, t.fetch_step);
    fetch += static_cast<std::ptrdiff_t>(steps) * t.fetch_step;
    w += static_cast<std::ptrdiff_t>(steps) * kVectors * V::kWidth;
    if (r + 1 < t.runs) x += t.x_run;
  }
  if constexpr (kHalf > 0) {
    x += steps;
    multiply_rows<V, 0, kHalf, kNarrow>(acc, x, t.x_pixel, w, late, fetch, t.fetch_step);
    store_rows<V, 0, kHalf, kNarrow>(t, acc, residual, y);
    multiply_rows<V, kHalf, kRows, kNarrow>(acc, x, t.x_pixel, w, late, fetch, t.fetch_step);
  }
  store_rows<V, kHalf, kRows, kNarrow>(t, acc, residual, y);
}

/// Runs the tile function of exactly `rows` rows.
template <class V, int kVectors, bool kNarrow, int kRows = max_tile_rows<V>(kVectors)>
void run_tile(int rows, const ConvolutionPanel& t, const float* x, const float* residual, float* y,
              const char* fetch) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile<V, kVectors, kNarrow, kRows - 1>(rows, t, x, residual, y, fetch);
  }
  convolution_tile<V, kRows, kVectors, kNarrow>(t, x, residual, y, fetch);
}

/// One panel for pixels [begin, end): tiles as even as they can be, so that none is left nearly empty.
template <class V, int kVectors, bool kNarrow>
void convolution_panel(ConvolutionPanel& t, const float* x, const float* residual, float* y, int begin,
                       int end, const char* fetch, std::ptrdiff_t fetch_bytes) {
  constexpr int kMaxRows = max_tile_rows<V>(kVectors);
  constexpr int kFewRows = kMaxRows < 7 ? kMaxRows : 7;
  // Pixels that are pages apart share one set of the L1 cache, which has eight ways.
  const int max_rows =
      t.x_pixel * static_cast<std::ptrdiff_t>(sizeof(float)) % 4096 == 0 ? kFewRows : kMaxRows;
  int tiles = (end - begin + max_rows - 1) / max_rows;
  const std::ptrdiff_t depth = static_cast<std::ptrdiff_t>(t.runs) * t.run;
  const std::ptrdiff_t fetch_step = (fetch_bytes + tiles * depth - 1) / (tiles * depth);
  t.fetch_step = fetch_step < kFetchLine ? static_cast<int>(fetch_step) : kFetchLine;
  for (; tiles > 0; --tiles) {
    const int rows = (end - begin + tiles - 1) / tiles;
    const std::ptrdiff_t offset = begin * t.y_pixel;
    run_tile<V, kVectors, kNarrow>(rows, t, x + begin * t.x_pixel, residual ? residual + offset : nullptr,
                                   y + offset, fetch);
    fetch += depth * t.fetch_step;
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

  // What is fetched for a later layer, in as many pieces as there are panels to compute.
  const std::ptrdiff_t pieces =
      static_cast<std::ptrdiff_t>((a.pixels + block - 1) / block) * (a.panel_end - a.panel_begin);
  const std::ptrdiff_t fetch_bytes = (a.fetch_bytes + pieces - 1) / pieces;
  const char* fetch = a.fetch_bytes > 0 ? a.fetch : reinterpret_cast<const char*>(a.packed);

  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    for (int panel = a.panel_begin; panel < a.panel_end; ++panel) {
      const int first = panel * kPanelVectors;
      const int wide = panel + 1 == panels ? vectors - first : kPanelVectors;
      ConvolutionPanel t = {};
      t.x_pixel = a.x_pixel;
      t.x_run = a.x_run;
      t.runs = a.runs;
      t.run = a.run;
      t.packed = a.packed + static_cast<std::ptrdiff_t>(first) * V::kWidth * (depth + 1);
      const float* residual = a.residual ? a.residual + first * V::kWidth : nullptr;
      float* y = a.y + first * V::kWidth;
      t.y_pixel = a.k;
      const int columns = a.k - first * V::kWidth;
      t.last_lanes = columns < wide * V::kWidth ? columns - (wide - 1) * V::kWidth : V::kWidth;
      t.finish = a.finish;
      const bool narrow = V::kHalves && t.last_lanes <= V::kWidth / 2;
      if (wide == 1)
        convolution_panel<V, 1, false>(t, a.x, residual, y, begin, end, fetch, fetch_bytes);
      else if (wide == 2 && narrow)
        convolution_panel<V, 2, V::kHalves>(t, a.x, residual, y, begin, end, fetch, fetch_bytes);
      else if (wide == 2)
        convolution_panel<V, 2, false>(t, a.x, residual, y, begin, end, fetch, fetch_bytes);
      else if (narrow)
        convolution_panel<V, 3, V::kHalves>(t, a.x, residual, y, begin, end, fetch, fetch_bytes);
      else
        convolution_panel<V, 3, false>(t, a.x, residual, y, begin, end, fetch, fetch_bytes);
      fetch += fetch_bytes;
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
