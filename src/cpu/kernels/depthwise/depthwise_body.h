// The one body of depthwise layers, over any vector type V and any `Type`: what the values of a layer are,
// how a vector of them is loaded, and what a tile ends with. Here DepthwiseTypeFloat; depthwise_float_s8.h
// has int8's. Internal linkage: see finish_body.h.
//
// A tile is a few neighbouring output pixels of a few neighbouring rows by one vector of channels. Inputs
// come from the L2 cache, whose bandwidth is what limits a depthwise layer: each input value is loaded once
// for all the outputs of the tile that it reaches.
#pragma once

#include "cpu/kernels/depthwise/depthwise_f32.h"
#include "cpu/kernels/finish_body.h"

namespace linnet::cpu {
namespace {

/// The most rows and pixels of a tile whose accumulators, weights in use and one input value fit the
/// registers. Rows that share few of their inputs, or have many weights, are not worth the code.
template <class V>
constexpr int max_depthwise_rows(int kernel, int stride) {
  if (kernel != 3 || stride != 1) return 1;
  return V::kRegisters == 32 ? 4 : 2;
}
template <class V>
constexpr int max_depthwise_pixels(int kernel, int stride) {
  return max_depthwise_rows<V>(kernel, stride) == 1 ? 7 : 4;
}

/// T: float, or half of one.
template <class Vector, class T>
struct DepthwiseTypeFloat {
  using V = Vector;
  using Arguments = DepthwiseOf<T>;
  using Value = T;
  static constexpr bool kOverlap = false;  ///< channels behind the last whole vector are a part of one
  static constexpr bool kPads = false;     ///< taps outside the image are left out

  static constexpr int rows(int kernel, int stride) { return max_depthwise_rows<V>(kernel, stride); }
  static constexpr int pixels(int kernel, int stride) { return max_depthwise_pixels<V>(kernel, stride); }

  /// A whole vector of channels, or the few that are left behind the last whole one.
  template <bool kClip, bool kPartial>
  struct Lanes {
    const DepthwiseOf<T>& a;
    int channel;
    int n;

    const T* weights() const { return a.weight + channel; }  ///< of the first tap
    V bias() const { return a.bias ? load(a.bias + channel) : V::zero(); }
    template <class Stored>
    V load(const Stored* p) const {
      return kPartial ? V::load_partial(p, n) : V::load(p);
    }
    V load_weights(const T* p) const { return load(p); }
    const T* padding() const { return nullptr; }
    /// `y` is where the first row's first pixel goes.
    template <int kRows, int kPixels>
    void finish(V (&acc)[kRows * kPixels][1], T* y) const {
      apply_finish(a.finish, acc);
      const std::ptrdiff_t pixel = a.c;
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
        for (int j = 0; j < kPixels; ++j) {
          if constexpr (kPartial)
            acc[i * kPixels + j][0].store_partial(y + j * pixel, n);
          else
            acc[i * kPixels + j][0].store(y + j * pixel);
        }
        y += a.wo * pixel;
      }
    }
  };
};

/// Where a tile's rows are.
template <class Type, int kKernel, int kStride, int kRows>
struct DepthwiseRows {
  const typename Type::Value* x[(kRows - 1) * kStride + kKernel];  ///< nullptr: outside the image
  bool clip;                                                       ///< one of them is
  typename Type::Value* y;                                         ///< the first output row
};

/// kRows output rows from rows.y on, output pixels [wo, wo + kPixels), channels at `channel`. kClip: some of
/// the tile's input lies outside the image.
template <class Type, int kKernel, int kStride, int kRows, int kPixels, bool kClip, bool kPartial>
void depthwise_tile(const typename Type::Arguments& a,
                    const DepthwiseRows<Type, kKernel, kStride, kRows>& rows, int wo, int channel, int n) {
  using V = typename Type::V;
  const typename Type::template Lanes<kClip, kPartial> lanes = {a, channel, n};
  V acc[kRows * kPixels][1];
  const V bias = lanes.bias();
#pragma GCC unroll 32
  for (int i = 0; i < kRows * kPixels; ++i) acc[i][0] = bias;

  const std::ptrdiff_t pixel = a.c;
  const auto* const w = lanes.weights();
  // All weights stay in registers, or those that one input row meets.
  constexpr bool kResident = kKernel * kKernel + kRows * kPixels + 1 <= V::kRegisters;
  V weight[kKernel][kKernel];
  if constexpr (kResident) {
#pragma GCC unroll 8
    for (int r = 0; r < kKernel; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) weight[r][s] = lanes.load_weights(w + (r * kKernel + s) * pixel);
  }
  const int left = wo * kStride - a.pad_left;
#pragma GCC unroll 16
  for (int row = 0; row < (kRows - 1) * kStride + kKernel; ++row) {
    const bool outside_row = kClip && !rows.x[row];
    if (!Type::kPads && outside_row) continue;
    if constexpr (!kResident) {
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) {
        const int r = row - i * kStride;
        if (r < 0 || r >= kKernel) continue;
#pragma GCC unroll 8
        for (int s = 0; s < kKernel; ++s) weight[r][s] = lanes.load_weights(w + (r * kKernel + s) * pixel);
      }
    }
    const typename Type::Value* x = outside_row ? nullptr : rows.x[row] + left * pixel + channel;
#pragma GCC unroll 32
    for (int column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
      const bool outside = outside_row || (kClip && (left + column < 0 || left + column >= a.w));
      if (!Type::kPads && outside) continue;
      const V value = lanes.load(outside ? lanes.padding() : x + column * pixel);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kPixels; ++j) {
          const int r = row - i * kStride;
          const int s = column - j * kStride;
          if (r < 0 || r >= kKernel || s < 0 || s >= kKernel) continue;
          acc[i * kPixels + j][0] = fma(value, weight[r][s], acc[i * kPixels + j][0]);
        }
    }
  }
  lanes.template finish<kRows, kPixels>(acc, rows.y + wo * pixel + channel);
}

/// All channels of a tile.
template <class Type, int kKernel, int kStride, int kRows, int kPixels, bool kClip>
void depthwise_channels(const typename Type::Arguments& a,
                        const DepthwiseRows<Type, kKernel, kStride, kRows>& rows, int wo) {
  constexpr int kWidth = Type::V::kWidth;
  int channel = 0;
  for (; channel + kWidth <= a.c; channel += kWidth)
    depthwise_tile<Type, kKernel, kStride, kRows, kPixels, kClip, false>(a, rows, wo, channel, kWidth);
  if constexpr (Type::kOverlap) {
    if (channel < a.c)
      depthwise_tile<Type, kKernel, kStride, kRows, kPixels, kClip, false>(a, rows, wo, a.c - kWidth, kWidth);
  } else if constexpr (kWidth > 1) {
    if (channel < a.c)
      depthwise_tile<Type, kKernel, kStride, kRows, kPixels, kClip, true>(a, rows, wo, channel,
                                                                          a.c - channel);
  }
}

/// Exactly `pixels` output pixels, 1 <= pixels <= kPixels.
template <class Type, int kKernel, int kStride, int kRows, int kPixels>
void depthwise_pixels(const typename Type::Arguments& a,
                      const DepthwiseRows<Type, kKernel, kStride, kRows>& rows, int wo, int pixels) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels)
      return depthwise_pixels<Type, kKernel, kStride, kRows, kPixels - 1>(a, rows, wo, pixels);
  }
  const int left = wo * kStride - a.pad_left;
  if (rows.clip || left < 0 || left + (kPixels - 1) * kStride + kKernel > a.w)
    depthwise_channels<Type, kKernel, kStride, kRows, kPixels, true>(a, rows, wo);
  else
    depthwise_channels<Type, kKernel, kStride, kRows, kPixels, false>(a, rows, wo);
}

/// Exactly `count` output rows from ho on, 1 <= count <= kRows.
template <class Type, int kKernel, int kStride, int kRows>
void depthwise_rows(const typename Type::Arguments& a, int ho, int count) {
  if constexpr (kRows > 1) {
    if (count < kRows) return depthwise_rows<Type, kKernel, kStride, kRows - 1>(a, ho, count);
  }
  DepthwiseRows<Type, kKernel, kStride, kRows> rows;
  rows.clip = false;
  for (int row = 0; row < (kRows - 1) * kStride + kKernel; ++row) {
    const int h = ho * kStride - a.pad_top + row;
    const bool inside = h >= 0 && h < a.h;
    rows.x[row] = inside ? a.x + static_cast<std::ptrdiff_t>(h * a.w % a.ring) * a.c : nullptr;
    rows.clip = rows.clip || !inside;
  }
  rows.y = a.y + static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo * a.c;
  constexpr int kPixels = Type::pixels(kKernel, kStride);
  int wo = 0;
  for (int tiles = (a.wo + kPixels - 1) / kPixels; tiles > 0; --tiles) {
    const int pixels = (a.wo - wo + tiles - 1) / tiles;
    depthwise_pixels<Type, kKernel, kStride, kRows, kPixels>(a, rows, wo, pixels);
    wo += pixels;
  }
}

/// Square windows of kKernel that slide by kStride both ways.
template <class Type, int kKernel, int kStride>
void depthwise_fixed(const typename Type::Arguments& a) {
  constexpr int kRows = Type::rows(kKernel, kStride);
  int ho = a.row_begin;
  for (int tiles = (a.row_end - ho + kRows - 1) / kRows; tiles > 0; --tiles) {
    const int count = (a.row_end - ho + tiles - 1) / tiles;
    depthwise_rows<Type, kKernel, kStride, kRows>(a, ho, count);
    ho += count;
  }
}

template <class V, class T, bool kPartial>
void depthwise_any_pixel(const DepthwiseOf<T>& a, int ho, int wo, int channel, int n) {
  const typename DepthwiseTypeFloat<V, T>::template Lanes<true, kPartial> lanes = {a, channel, n};
  V acc[1][1] = {{lanes.bias()}};
  const std::ptrdiff_t pixel = a.c;
  for (int r = 0; r < a.kernel_h; ++r) {
    const int h = ho * a.stride_h - a.pad_top + r;
    if (h < 0 || h >= a.h) continue;
    const int left = wo * a.stride_w - a.pad_left > 0 ? wo * a.stride_w - a.pad_left : 0;
    const int first = (h * a.w + left) % a.ring;  // where column `left` is; those behind it may wrap
    const T* weight = a.weight + static_cast<std::ptrdiff_t>(r) * a.kernel_w * pixel + channel;
    for (int s = 0; s < a.kernel_w; ++s) {
      const int w = wo * a.stride_w - a.pad_left + s;
      if (w < 0 || w >= a.w) continue;
      const std::ptrdiff_t place = first + w - left < a.ring ? first + w - left : first + w - left - a.ring;
      acc[0][0] = fma(lanes.load(a.x + place * pixel + channel), lanes.load(weight + s * pixel), acc[0][0]);
    }
  }
  lanes.template finish<1, 1>(
      acc, a.y + (static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo + wo) * pixel + channel);
}

/// Any window and any stride.
template <class V, class T>
void depthwise_any_float(const DepthwiseOf<T>& a) {
  for (int ho = a.row_begin; ho < a.row_end; ++ho)
    for (int wo = 0; wo < a.wo; ++wo) {
      int channel = 0;
      for (; channel + V::kWidth <= a.c; channel += V::kWidth)
        depthwise_any_pixel<V, T, false>(a, ho, wo, channel, V::kWidth);
      if (channel < a.c) depthwise_any_pixel<V, T, true>(a, ho, wo, channel, a.c - channel);
    }
}

}  // namespace
}  // namespace linnet::cpu
