// The one body of the convolutions of 16-bit floats, over any `Dot`: what an ISA multiplies. DotConverted,
// below, is everyone's: float32, converted as weights are loaded and windows gathered. Internal linkage: see
// finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_half.h"
#include "cpu/kernels/finish_body.h"

namespace linnet::cpu {
namespace {

/// What the narrow vector of a `Dot` that has none would be.
struct NoNarrow {
  static constexpr int kWidth = 0;
};

template <class Vector, class T>
struct DotConverted {
  using V = Vector;
  using Narrow = NoNarrow;
  using Value = T;  ///< as stored
  using X = float;  ///< as multiplied
  using Broadcast = V;
  static constexpr int kGroup = 1;

  static Broadcast broadcast(const float* x) { return V::set(*x); }
  static Broadcast broadcast_last(const float* x) { return broadcast(x); }
  static V load_weights(V, const T* w) { return V::load(w); }
  static V dot(Broadcast x, V w, V sum) { return fma(x, w, sum); }
  /// May write a vector behind the n values.
  static void gather(const T* x, int n, float* y) {
    int i = 0;
    for (; i + V::kWidth <= n; i += V::kWidth) V::load(x + i).store(y + i);
    if (i < n) V::load_partial(x + i, n - i).store(y + i);
  }
  template <class To>
  static void store_pair(V a, V b, To* y) {
    a.store(y);
    b.store(y + V::kWidth);
  }
};

template <class Dot>
constexpr HalfLayout half_layout() {
  constexpr bool kNarrows = Dot::Narrow::kWidth > 0;
  return {.width = Dot::V::kWidth,
          .narrow = kNarrows ? Dot::Narrow::kWidth : Dot::V::kWidth,
          .group = Dot::kGroup,
          .converts = sizeof(typename Dot::X) != sizeof(typename Dot::Value)};
}

/// The most rows (pixels) of a tile whose accumulators, one row of weights and one broadcast value fit the
/// registers.
template <class V>
constexpr int max_half_rows(int vectors) {
  if (V::kRegisters == 32) return vectors == 3 ? 9 : 14;
  return vectors == 1 ? 12 : vectors == 2 ? 6 : 4;
}

/// How far ahead of the products weights are fetched, in groups of a panel.
constexpr int kHalfPrefetch = 16;

/// One tile: kRows pixels by the channels of a panel, all of the depth.
template <class Dot>
struct HalfTile {
  using T = typename Dot::Value;
  const typename Dot::X* x;
  std::ptrdiff_t x_pixel;
  std::ptrdiff_t x_run;
  int runs;
  int run;
  const float* bias = nullptr;
  const T* packed = nullptr;
  const T* residual = nullptr;
  T* y = nullptr;
  float* real = nullptr;
  std::ptrdiff_t y_pixel = 0;
  int channels = 0;  ///< of the panel, but those behind the layer's last
  Finish finish = Finish::kNone;
};

/// The accumulators of one kind of vector, and where its channels begin in the panel.
template <class Dot, class V, int kRows, int kVectors>
struct HalfSums {
  static constexpr int kWidth = V::kWidth;
  V acc[kRows][kVectors];

  inline __attribute__((always_inline)) void set(const float* bias) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
#pragma GCC unroll 32
      for (int i = 0; i < kRows; ++i) acc[i][j] = V::load(bias + j * kWidth);
  }
  /// The sum that is added is the one that would be stored, so that no bit depends on who adds.
  template <class T>
  inline __attribute__((always_inline)) void add(const T* residual, std::ptrdiff_t pixel, int channels) {
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const T* p = residual + i * pixel + j * kWidth;
        const int left = channels - j * kWidth;
        acc[i][j] = acc[i][j].rounded(T{}) +
                    (j + 1 < kVectors || left >= kWidth ? V::load(p) : V::load_partial(p, left));
      }
  }
  /// All vectors but the last are whole; two whole ones are stored at once.
  template <class T>
  inline __attribute__((always_inline)) void store(T* y, std::ptrdiff_t pixel, int channels) const {
    constexpr int kLast = kVectors - 1;
    const int left = channels - kLast * kWidth;
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i, y += pixel) {
      if constexpr (kVectors == 2) {
        if (left >= kWidth) {
          Dot::store_pair(acc[i][0], acc[i][1], y);
          continue;
        }
        acc[i][0].store(y);
      }
      if constexpr (kVectors == 3) Dot::store_pair(acc[i][0], acc[i][1], y);
      if (left >= kWidth)
        acc[i][kLast].store(y + kLast * kWidth);
      else
        acc[i][kLast].store_partial(y + kLast * kWidth, left);
    }
  }
};

template <class Dot, class V, int kRows>
struct HalfSums<Dot, V, kRows, 0> {
  V acc[kRows][1];  ///< never touched
  void set(const float*) {}
  template <class T>
  void add(const T*, std::ptrdiff_t, int) {}
  template <class T>
  void store(T*, std::ptrdiff_t, int) const {}
};

template <class Dot, int kRows, int kVectors, bool kNarrow>
void half_tile(const HalfTile<Dot>& t) {
  using X = typename Dot::X;
  using V = typename Dot::V;
  using N = typename Dot::Narrow;
  constexpr int kWide = kVectors * V::kWidth;  // channels of whole vectors
  constexpr int kChannels = kWide + (kNarrow ? N::kWidth : 0);
  HalfSums<Dot, V, kRows, kVectors> wide;
  HalfSums<Dot, N, kRows, kNarrow ? 1 : 0> narrow;
  wide.set(t.bias);
  narrow.set(t.bias + kWide);

  const typename Dot::Value* w = t.packed;
  for (int r = 0; r < t.runs; ++r) {
    // A pointer for every third row: the two between are reached by the addressing mode.
    constexpr int kPointers = (kRows + 2) / 3;
    const X* x[kPointers];
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) x[i] = t.x + r * t.x_run + 3 * i * t.x_pixel;
    const auto multiply = [&](auto broadcast) __attribute__((always_inline)) {
      const auto fetch = [&](int channel) {
        __builtin_prefetch(w + (kHalfPrefetch * kChannels + channel) * Dot::kGroup);
      };
      decltype(Dot::load_weights(V(), w)) b[kVectors + 1];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        b[j] = Dot::load_weights(V(), w + j * V::kWidth * Dot::kGroup);
        fetch(j * V::kWidth);
      }
      if constexpr (kNarrow) {
        const auto c = Dot::load_weights(N(), w + kWide * Dot::kGroup);
        fetch(kWide);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) {
          const auto a = broadcast(x[i / 3] + (i % 3) * t.x_pixel);
#pragma GCC unroll 8
          for (int j = 0; j < kVectors; ++j) wide.acc[i][j] = Dot::dot(a, b[j], wide.acc[i][j]);
          narrow.acc[i][0] = Dot::dot(a, c, narrow.acc[i][0]);
        }
      } else {
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) {
          const auto a = broadcast(x[i / 3] + (i % 3) * t.x_pixel);
#pragma GCC unroll 8
          for (int j = 0; j < kVectors; ++j) wide.acc[i][j] = Dot::dot(a, b[j], wide.acc[i][j]);
        }
      }
      w += kChannels * Dot::kGroup;
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) x[i] += Dot::kGroup;
    };
    for (int d = Dot::kGroup; d <= t.run; d += Dot::kGroup)
      multiply([](const X* p) { return Dot::broadcast(p); });
    if constexpr (Dot::kGroup > 1)
      if (t.run % Dot::kGroup) multiply([](const X* p) { return Dot::broadcast_last(p); });
  }

  if (t.residual) {
    wide.add(t.residual, t.y_pixel, t.channels);
    narrow.add(t.residual + kWide, t.y_pixel, t.channels - kWide);
  }
  if constexpr (kVectors > 0) apply_finish(t.finish, wide.acc);
  if constexpr (kNarrow) apply_finish(t.finish, narrow.acc);
  const auto store = [&](auto* y) {
    wide.store(y, t.y_pixel, t.channels);
    narrow.store(y + kWide, t.y_pixel, t.channels - kWide);
  };
  if (t.real)
    store(t.real);
  else
    store(t.y);
}

/// Runs the tile function of exactly `rows` rows.
template <class Dot, int kVectors, bool kNarrow, int kRows>
void run_half_tile(int rows, const HalfTile<Dot>& t) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_half_tile<Dot, kVectors, kNarrow, kRows - 1>(rows, t);
  }
  half_tile<Dot, kRows, kVectors, kNarrow>(t);
}

/// One panel for `pixels` pixels: tiles as even as they can be, so that none is left nearly empty.
template <class Dot, int kVectors, bool kNarrow>
void half_panel(HalfTile<Dot> t, int pixels) {
  constexpr int kMaxRows = max_half_rows<typename Dot::V>(kVectors + (kNarrow ? 1 : 0));
  for (int tiles = (pixels + kMaxRows - 1) / kMaxRows; tiles > 0; --tiles) {
    const int rows = (pixels + tiles - 1) / tiles;
    run_half_tile<Dot, kVectors, kNarrow, kMaxRows>(rows, t);
    t.x += rows * t.x_pixel;
    const std::ptrdiff_t offset = rows * t.y_pixel;
    if (t.residual) t.residual += offset;
    if (t.real)
      t.real += offset;
    else
      t.y += offset;
    pixels -= rows;
  }
}

/// One pixel, kPanels panels of whole vectors: as many chains of products as hide their latency, as many
/// streams of weights as the caches can feed. `panel`: values from one panel's weights to the next one's.
template <class Dot, int kPanels>
void half_row(const HalfTile<Dot>& t, std::ptrdiff_t panel) {
  using V = typename Dot::V;
  constexpr int kVectors = kHalfPanelVectors;
  constexpr int kChannels = kVectors * V::kWidth;
  HalfSums<Dot, V, kPanels, kVectors> sums;
#pragma GCC unroll 8
  for (int i = 0; i < kPanels; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sums.acc[i][j] = V::load(t.bias + i * kChannels + j * V::kWidth);
  const typename Dot::Value* w = t.packed;
  for (int r = 0; r < t.runs; ++r) {
    const typename Dot::X* x = t.x + r * t.x_run;
    for (int d = 0; d < t.run; d += Dot::kGroup) {
      const auto a = d + Dot::kGroup <= t.run ? Dot::broadcast(x + d) : Dot::broadcast_last(x + d);
#pragma GCC unroll 8
      for (int i = 0; i < kPanels; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) {
          const typename Dot::Value* p = w + i * panel + j * V::kWidth * Dot::kGroup;
          sums.acc[i][j] = Dot::dot(a, Dot::load_weights(V(), p), sums.acc[i][j]);
          __builtin_prefetch(p + kHalfPrefetch * kChannels * Dot::kGroup);
        }
      w += kChannels * Dot::kGroup;
    }
  }
  if (t.residual) sums.add(t.residual, kChannels, kChannels);
  apply_finish(t.finish, sums.acc);
  if (t.real)
    sums.store(t.real, kChannels, kChannels);
  else
    sums.store(t.y, kChannels, kChannels);
}

/// All panels for `pixels` pixels, whose windows are `t`'s; pixel `first` of the call is their first.
template <class Dot>
void half_panels(const ConvolutionHalf<typename Dot::Value>& a, HalfTile<Dot> t, int first, int pixels) {
  using V = typename Dot::V;
  constexpr HalfLayout kLayout = half_layout<Dot>();
  const std::ptrdiff_t depth = static_cast<std::ptrdiff_t>(a.runs) * packed_run_half(kLayout, a.run);
  t.y_pixel = a.k;
  t.finish = a.finish;
  for (int p = a.panel_begin; p < a.panel_end; ++p) {
    const HalfPanel panel = panel_half(kLayout, a.k, p);
    const std::ptrdiff_t offset = first * t.y_pixel + panel.first;
    t.bias = a.bias + panel.first;
    t.packed = a.packed + panel.first * depth;
    t.residual = a.residual ? a.residual + offset : nullptr;
    t.real = a.real ? a.real + offset : nullptr;
    t.y = a.real ? nullptr : a.y + offset;
    constexpr int kTogether = V::kRegisters == 32 ? 4 : 2;
    if (pixels == 1 && p + kTogether <= a.panel_end && p + kTogether < count_panels_half(kLayout, a.k)) {
      half_row<Dot, kTogether>(t, kHalfPanelVectors * kLayout.width * depth);
      p += kTogether - 1;
      continue;
    }
    const int channels = panel.channels(kLayout);
    t.channels = a.k - panel.first < channels ? a.k - panel.first : channels;
    if constexpr (kLayout.narrow < kLayout.width) {
      if (panel.narrow) {
        if (panel.vectors == 0)
          half_panel<Dot, 0, true>(t, pixels);
        else if (panel.vectors == 1)
          half_panel<Dot, 1, true>(t, pixels);
        else
          half_panel<Dot, 2, true>(t, pixels);
        continue;
      }
    }
    if (panel.vectors == 1)
      half_panel<Dot, 1, false>(t, pixels);
    else if (panel.vectors == 2)
      half_panel<Dot, 2, false>(t, pixels);
    else
      half_panel<Dot, 3, false>(t, pixels);
  }
}

template <class Dot>
void convolution_half(const ConvolutionHalf<typename Dot::Value>& a) {
  if constexpr (half_layout<Dot>().converts) {
    auto* const converted = reinterpret_cast<typename Dot::X*>(a.scratch);
    const int depth = a.runs * a.run;
    const int block = converted_pixels_half(depth);
    for (int begin = 0; begin < a.pixels; begin += block) {
      const int pixels = a.pixels - begin < block ? a.pixels - begin : block;
      for (int i = 0; i < pixels; ++i)
        for (int r = 0; r < a.runs; ++r)
          Dot::gather(a.x + (begin + i) * a.x_pixel + r * a.x_run, a.run,
                      converted + static_cast<std::ptrdiff_t>(i) * depth + r * a.run);
      half_panels<Dot>(a, {.x = converted, .x_pixel = depth, .x_run = 0, .runs = 1, .run = depth}, begin,
                       pixels);
    }
  } else {
    // Pixels whose inputs stay in the L2 cache while every panel passes over them.
    constexpr int kBlockBytes = 256 * 1024;
    const std::ptrdiff_t pixel_bytes = 2 * (a.x_pixel > a.run ? a.x_pixel : a.run);
    const std::ptrdiff_t fitting = kBlockBytes / (pixel_bytes > 0 ? pixel_bytes : 1);
    const int block = fitting < 42 ? 42 : fitting > a.pixels ? a.pixels : static_cast<int>(fitting);
    for (int begin = 0; begin < a.pixels; begin += block) {
      const int pixels = a.pixels - begin < block ? a.pixels - begin : block;
      half_panels<Dot>(a,
                       {.x = a.x + begin * a.x_pixel,
                        .x_pixel = a.x_pixel,
                        .x_run = a.x_run,
                        .runs = a.runs,
                        .run = a.run},
                       begin, pixels);
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
