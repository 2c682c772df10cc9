// The one body of depthwise_f32, over any vector type. Internal linkage: see finish_body.h.
//
// A tile is a few neighbouring output pixels of one row by one vector of channels. For each of its R input
// rows the S weights are loaded once, and every input value once for all the outputs that it reaches.
#pragma once

#include "cpu/kernels/depthwise/depthwise_f32.h"
#include "cpu/kernels/finish_body.h"

namespace linnet::cpu {
namespace {

/// A whole vector of channels, or the few that are left behind the last whole one.
template <class V, bool kPartial>
struct Lanes {
  int n;
  V load(const float* p) const { return kPartial ? V::load_partial(p, n) : V::load(p); }
  void store(V v, float* p) const {
    if constexpr (kPartial)
      v.store_partial(p, n);
    else
      v.store(p);
  }
};

/// One output row: the input rows that its window meets, and where it goes.
struct DepthwiseRow {
  const float* x[kDepthwiseMaxHeight];  ///< tap r's row; only [r_begin, r_end) lie in the image
  int r_begin;
  int r_end;
  float* y;
};

/// Output pixels [wo, wo + kPixels) of a row, channels at `channel`. kKernelW, kStrideW: the window's. kClip:
/// some columns of the tile's input lie outside the image.
template <class V, int kKernelW, int kStrideW, int kPixels, bool kClip, bool kPartial>
void depthwise_tile(const DepthwiseF32& a, const DepthwiseRow& row, int wo, int channel,
                    Lanes<V, kPartial> lanes) {
  V acc[kPixels][1];
  const V bias = a.bias ? lanes.load(a.bias + channel) : V::zero();
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) acc[i][0] = bias;

  const int left = wo * kStrideW - a.pad_left;
  const std::ptrdiff_t pixel = a.c;
  for (int r = row.r_begin; r < row.r_end; ++r) {
    V weight[kKernelW];
    const float* w = a.weight + static_cast<std::ptrdiff_t>(r) * kKernelW * pixel + channel;
#pragma GCC unroll 8
    for (int s = 0; s < kKernelW; ++s) weight[s] = lanes.load(w + s * pixel);
    const float* x = row.x[r] + left * pixel + channel;
#pragma GCC unroll 32
    for (int column = 0; column < (kPixels - 1) * kStrideW + kKernelW; ++column) {
      if (kClip && (left + column < 0 || left + column >= a.w)) continue;
      const V value = lanes.load(x + column * pixel);
#pragma GCC unroll 16
      for (int i = 0; i < kPixels; ++i) {
        const int s = column - i * kStrideW;
        if (s >= 0 && s < kKernelW) acc[i][0] = fma(value, weight[s], acc[i][0]);
      }
    }
  }
  apply_finish(a.finish, acc);
  float* y = row.y + wo * pixel + channel;
#pragma GCC unroll 16
  for (int i = 0; i < kPixels; ++i) lanes.store(acc[i][0], y + i * pixel);
}

/// All channels of output pixels [wo, wo + kPixels).
template <class V, int kKernelW, int kStrideW, int kPixels, bool kClip>
void depthwise_pixels(const DepthwiseF32& a, const DepthwiseRow& row, int wo) {
  int channel = 0;
  for (; channel + V::kWidth <= a.c; channel += V::kWidth)
    depthwise_tile<V, kKernelW, kStrideW, kPixels, kClip, false>(a, row, wo, channel, {V::kWidth});
  if (channel < a.c)
    depthwise_tile<V, kKernelW, kStrideW, kPixels, kClip, true>(a, row, wo, channel, {a.c - channel});
}

/// Exactly `pixels` output pixels, 1 <= pixels <= kPixels.
template <class V, int kKernelW, int kStrideW, int kPixels>
void depthwise_run(const DepthwiseF32& a, const DepthwiseRow& row, int wo, int pixels) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) return depthwise_run<V, kKernelW, kStrideW, kPixels - 1>(a, row, wo, pixels);
  }
  const int left = wo * kStrideW - a.pad_left;
  if (left < 0 || left + (kPixels - 1) * kStrideW + kKernelW > a.w)
    depthwise_pixels<V, kKernelW, kStrideW, kPixels, true>(a, row, wo);
  else
    depthwise_pixels<V, kKernelW, kStrideW, kPixels, false>(a, row, wo);
}

/// Windows kKernelW wide that slide by kStrideW, at most kDepthwiseMaxHeight high.
template <class V, int kKernelW, int kStrideW>
void depthwise_fixed_f32(const DepthwiseF32& a) {
  // Accumulators, a row of weights and one input value fit 16 registers; more pixels would not load less.
  constexpr int kPixels = 7;
  for (int ho = a.row_begin; ho < a.row_end; ++ho) {
    const int top = ho * a.stride_h - a.pad_top;
    DepthwiseRow row;
    row.r_begin = top < 0 ? -top : 0;
    row.r_end = top + a.kernel_h > a.h ? a.h - top : a.kernel_h;
    for (int r = row.r_begin; r < row.r_end; ++r)
      row.x[r] = a.x + static_cast<std::ptrdiff_t>((top + r) % a.ring) * a.w * a.c;
    row.y = a.y + static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo * a.c;
    int wo = 0;
    for (int tiles = (a.wo + kPixels - 1) / kPixels; tiles > 0; --tiles) {
      const int pixels = (a.wo - wo + tiles - 1) / tiles;
      depthwise_run<V, kKernelW, kStrideW, kPixels>(a, row, wo, pixels);
      wo += pixels;
    }
  }
}

template <class V, bool kPartial>
void depthwise_any_pixel(const DepthwiseF32& a, int ho, int wo, int channel, Lanes<V, kPartial> lanes) {
  V acc[1][1] = {{a.bias ? lanes.load(a.bias + channel) : V::zero()}};
  const std::ptrdiff_t pixel = a.c;
  for (int r = 0; r < a.kernel_h; ++r) {
    const int h = ho * a.stride_h - a.pad_top + r;
    if (h < 0 || h >= a.h) continue;
    const float* x = a.x + static_cast<std::ptrdiff_t>(h % a.ring) * a.w * pixel + channel;
    const float* weight = a.weight + static_cast<std::ptrdiff_t>(r) * a.kernel_w * pixel + channel;
    for (int s = 0; s < a.kernel_w; ++s) {
      const int w = wo * a.stride_w - a.pad_left + s;
      if (w < 0 || w >= a.w) continue;
      acc[0][0] = fma(lanes.load(x + w * pixel), lanes.load(weight + s * pixel), acc[0][0]);
    }
  }
  apply_finish(a.finish, acc);
  lanes.store(acc[0][0], a.y + (static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo + wo) * pixel + channel);
}

/// Any window and any stride.
template <class V>
void depthwise_any_f32(const DepthwiseF32& a) {
  for (int ho = a.row_begin; ho < a.row_end; ++ho)
    for (int wo = 0; wo < a.wo; ++wo) {
      int channel = 0;
      for (; channel + V::kWidth <= a.c; channel += V::kWidth)
        depthwise_any_pixel<V, false>(a, ho, wo, channel, {V::kWidth});
      if (channel < a.c) depthwise_any_pixel<V, true>(a, ho, wo, channel, {a.c - channel});
    }
}

}  // namespace
}  // namespace linnet::cpu
