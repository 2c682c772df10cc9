// The bodies of a depthwise layer's gradients, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/gradient/depthwise_gradient_f32.h"
#include "cpu/kernels/lanes_body.h"

namespace linnet::cpu {
namespace {

inline const float* dy_row(const DepthwiseWeightGradientF32& a, int image, int ho) {
  return a.dy + (static_cast<std::ptrdiff_t>(image) * a.dy_ring + ho % a.dy_ring) * a.wo * a.c;
}

/// Square windows of kKernel: kRows rows of taps at a time stay in registers, summed over all pixels.
template <class V, int kKernel, int kRows>
struct DepthwiseWeightGradientBody {
  const DepthwiseWeightGradientF32& a;
  int first_row;  ///< of the taps

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    static_assert(kVectors == 1);
    const Lanes<V, kPartial> lanes = {n};
    V acc[kRows][kKernel];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) acc[r][s] = V::zero();

    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(a.w) * a.c;
    for (int image = 0; image < a.images; ++image) {
      const float* image_x = a.x + image * a.x_ring * row + channel;
      for (int ho = a.row_begin; ho < a.row_end; ++ho) {
        const float* dy = dy_row(a, image, ho) + channel;
        const int top = ho * a.stride_h - a.pad_top + first_row;
        const bool rows_inside = top >= 0 && top + kRows <= a.h;
        const float* x[kRows];
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) x[r] = top + r < 0 ? nullptr : image_x + (top + r) % a.x_ring * row;
        for (int wo = 0; wo < a.wo; ++wo, dy += a.c) {
          const int left = wo * a.stride_w - a.pad_left;
          const std::ptrdiff_t corner = static_cast<std::ptrdiff_t>(left) * a.c;
          const V d = lanes.load(dy);
          if (rows_inside && left >= 0 && left + kKernel <= a.w) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
              for (int s = 0; s < kKernel; ++s)
                acc[r][s] = fma(d, lanes.load(x[r] + corner + s * a.c), acc[r][s]);
            continue;
          }
#pragma GCC unroll 8
          for (int r = 0; r < kRows; ++r) {
            if (top + r < 0 || top + r >= a.h) continue;
#pragma GCC unroll 8
            for (int s = 0; s < kKernel; ++s)
              if (left + s >= 0 && left + s < a.w)
                acc[r][s] = fma(d, lanes.load(x[r] + corner + s * a.c), acc[r][s]);
          }
        }
      }
    }

#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) {
        float* dw = a.dw + static_cast<std::ptrdiff_t>((first_row + r) * kKernel + s) * a.c + channel;
        lanes.store(a.accumulate ? acc[r][s] + lanes.load(dw) : acc[r][s], dw);
      }
  }
};

template <class V, int kKernel>
void depthwise_weight_gradient(const DepthwiseWeightGradientF32& a) {
  constexpr int kRows = kKernel * kKernel + 3 <= V::kRegisters ? kKernel : 1;
  for (int r = 0; r < kKernel; r += kRows)
    for_each_channel_group<V, 1>(a.c, DepthwiseWeightGradientBody<V, kKernel, kRows>{a, r});
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
    V acc = V::zero();
    for (int image = 0; image < a.images; ++image)
      for (int ho = a.row_begin; ho < a.row_end; ++ho) {
        const float* dy = dy_row(a, image, ho) + channel;
        const int h = ho * a.stride_h - a.pad_top + r;
        for (int wo = 0; wo < a.wo; ++wo, dy += a.c) {
          const int w = wo * a.stride_w - a.pad_left + s;
          if (h < 0 || h >= a.h || w < 0 || w >= a.w) continue;
          const std::ptrdiff_t pixel =
              (static_cast<std::ptrdiff_t>(image) * a.x_ring + h % a.x_ring) * a.w + w;
          acc = fma(lanes.load(dy), lanes.load(a.x + pixel * a.c + channel), acc);
        }
      }
    float* dw = a.dw + static_cast<std::ptrdiff_t>(r * a.kernel_w + s) * a.c + channel;
    lanes.store(a.accumulate ? acc + lanes.load(dw) : acc, dw);
  }
};

template <class V>
void depthwise_weight_gradient_f32(const DepthwiseWeightGradientF32& a) {
  const int kernel = a.kernel_h == a.kernel_w ? a.kernel_h : 0;
  if (kernel == 3) return depthwise_weight_gradient<V, 3>(a);
  if (kernel == 5) return depthwise_weight_gradient<V, 5>(a);
  for (int r = 0; r < a.kernel_h; ++r)
    for (int s = 0; s < a.kernel_w; ++s)
      for_each_channel_group<V, 1>(a.c, DepthwiseTapGradientBody<V>{a, r, s});
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
    V acc = V::zero();
    for (int r = r_begin, h = ho; r < a.kernel_h && h >= 0; r += a.stride_h, --h)
      for (int s = s_begin, w = wo; s < a.kernel_w && w >= 0; s += a.stride_w, --w) {
        const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(h % a.dy_ring) * a.wo + w;
        const std::ptrdiff_t tap = static_cast<std::ptrdiff_t>(r) * a.kernel_w + s;
        acc = fma(lanes.load(a.dy + pixel * a.c + channel), lanes.load(a.weight + tap * a.c + channel), acc);
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
  for (int h = a.row_begin; h < a.row_end; ++h) {
    const int r = first_tap(h + a.pad_top, a.stride_h, a.ho);
    for (int w = 0; w < a.w; ++w) {
      const int s = first_tap(w + a.pad_left, a.stride_w, a.wo);
      float* dx = a.dx + (static_cast<std::ptrdiff_t>(h - a.row_begin) * a.w + w) * a.c;
      for_each_channel_group<V, 1>(a.c,
                                   DepthwiseInputGradientBody<V>{a, r, (h + a.pad_top - r) / a.stride_h, s,
                                                                 (w + a.pad_left - s) / a.stride_w, dx});
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
