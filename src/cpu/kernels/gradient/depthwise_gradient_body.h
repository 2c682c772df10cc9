// The bodies of a depthwise layer's gradients, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/gradient/depthwise_gradient_f32.h"
#include "cpu/kernels/lanes_body.h"

namespace linnet::cpu {
namespace {

/// Square windows of kKernel: kRows rows of taps at a time stay in registers, summed over all pixels.
template <class V, int kKernel, int kRows>
struct DepthwiseWeightGradientBody {
  const DepthwiseWeightGradientF32& a;
  int first_row;  ///< of the taps

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    static_assert(kVectors == 1);
    const Lanes<V, kPartial> lanes = {n};
    const DepthwiseGeometry& at = a.at;
    V acc[kRows][kKernel];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) acc[r][s] = V::zero();

    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(at.w) * at.c;
    const float* dy = a.dy + channel;
    for (int image = 0; image < a.images; ++image) {
      const float* image_x = a.x + image * at.h * row + channel;
      for (int ho = 0; ho < at.ho; ++ho) {
        const int top = ho * at.stride_h - at.pad_top + first_row;
        const bool rows_inside = top >= 0 && top + kRows <= at.h;
        for (int wo = 0; wo < at.wo; ++wo, dy += at.c) {
          const int left = wo * at.stride_w - at.pad_left;
          const std::ptrdiff_t corner = top * row + static_cast<std::ptrdiff_t>(left) * at.c;
          const V d = lanes.load(dy);
          if (rows_inside && left >= 0 && left + kKernel <= at.w) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
              for (int s = 0; s < kKernel; ++s)
                acc[r][s] = fma(d, lanes.load(image_x + corner + r * row + s * at.c), acc[r][s]);
            continue;
          }
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            if (top + r < 0 || top + r >= at.h) continue;
#pragma GCC unroll 8
            for (int s = 0; s < kKernel; ++s)
              if (left + s >= 0 && left + s < at.w)
                acc[r][s] = fma(d, lanes.load(image_x + corner + r * row + s * at.c), acc[r][s]);
          }
        }
      }
    }

#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) {
        float* dw = a.dw + static_cast<std::ptrdiff_t>((first_row + r) * kKernel + s) * at.c + channel;
        lanes.store(a.accumulate ? acc[r][s] + lanes.load(dw) : acc[r][s], dw);
      }
  }
};

template <class V, int kKernel>
void depthwise_weight_gradient(const DepthwiseWeightGradientF32& a) {
  constexpr int kRows = kKernel * kKernel + 3 <= V::kRegisters ? kKernel : 1;
  for (int r = 0; r < kKernel; r += kRows)
    for_each_channel_group<V, 1>(a.at.c, DepthwiseWeightGradientBody<V, kKernel, kRows>{a, r});
}

/// One tap of any window.
template <class V>
struct DepthwiseTapGradientBody {
  const DepthwiseWeightGradientF32& a;
  int r;
  int s;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const Lanes<V, kPartial> lanes = {n};
    const DepthwiseGeometry& at = a.at;
    const float* dy = a.dy + channel;
    V acc = V::zero();
    for (int image = 0; image < a.images; ++image)
      for (int ho = 0; ho < at.ho; ++ho) {
        const int h = ho * at.stride_h - at.pad_top + r;
        for (int wo = 0; wo < at.wo; ++wo, dy += at.c) {
          const int w = wo * at.stride_w - at.pad_left + s;
          if (h < 0 || h >= at.h || w < 0 || w >= at.w) continue;
          const std::ptrdiff_t pixel = (static_cast<std::ptrdiff_t>(image) * at.h + h) * at.w + w;
          acc = fma(lanes.load(dy), lanes.load(a.x + pixel * at.c + channel), acc);
        }
      }
    float* dw = a.dw + static_cast<std::ptrdiff_t>(r * at.kernel_w + s) * at.c + channel;
    lanes.store(a.accumulate ? acc + lanes.load(dw) : acc, dw);
  }
};

template <class V>
void depthwise_weight_gradient_f32(const DepthwiseWeightGradientF32& a) {
  const DepthwiseGeometry& at = a.at;
  const int kernel = at.kernel_h == at.kernel_w ? at.kernel_h : 0;
  if (kernel == 3) return depthwise_weight_gradient<V, 3>(a);
  if (kernel == 5) return depthwise_weight_gradient<V, 5>(a);
  for (int r = 0; r < at.kernel_h; ++r)
    for (int s = 0; s < at.kernel_w; ++s)
      for_each_channel_group<V, 1>(at.c, DepthwiseTapGradientBody<V>{a, r, s});
}

/// One input pixel. Its taps' rows are r, r + stride_h, … while they reach an output row; columns likewise.
template <class V>
struct DepthwiseInputGradientBody {
  const DepthwiseInputGradientF32& a;
  int r_begin;  ///< the tap of the last output row that reads the pixel
  int ho;       ///< that row
  int s_begin;
  int wo;
  float* dx;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const Lanes<V, kPartial> lanes = {n};
    const DepthwiseGeometry& at = a.at;
    V acc = V::zero();
    for (int r = r_begin, h = ho; r < at.kernel_h && h >= 0; r += at.stride_h, --h)
      for (int s = s_begin, w = wo; s < at.kernel_w && w >= 0; s += at.stride_w, --w) {
        const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(h) * at.wo + w;
        const std::ptrdiff_t tap = static_cast<std::ptrdiff_t>(r) * at.kernel_w + s;
        acc =
            fma(lanes.load(a.dy + pixel * at.c + channel), lanes.load(a.weight + tap * at.c + channel), acc);
      }
    lanes.store(acc, dx + channel);
  }
};

/// The first tap, counted from 0, that joins input position `at` (padding included) with an output below
/// `outputs`; the output is at (at - tap) / stride.
inline int first_tap(int at, int stride, int outputs) {
  const int last = (outputs - 1) * stride;
  return at > last ? at - last : at % stride;
}

template <class V>
void depthwise_input_gradient_f32(const DepthwiseInputGradientF32& a) {
  const DepthwiseGeometry& at = a.at;
  float* dx = a.dx;
  for (int h = 0; h < at.h; ++h) {
    const int r = first_tap(h + at.pad_top, at.stride_h, at.ho);
    for (int w = 0; w < at.w; ++w, dx += at.c) {
      const int s = first_tap(w + at.pad_left, at.stride_w, at.wo);
      for_each_channel_group<V, 1>(at.c,
                                   DepthwiseInputGradientBody<V>{a, r, (h + at.pad_top - r) / at.stride_h, s,
                                                                 (w + at.pad_left - s) / at.stride_w, dx});
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
