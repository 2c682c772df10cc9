// depthwise_any_s8: any window, stride and zero points, int16 weights, plain loops that the compiler turns
// into vectors of the unit's ISA. End: requantization of a block. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/depthwise/depthwise_s8.h"

namespace linnet::cpu {
namespace {

/// acc[i] += (x[i] - zero_x) * w[i]
inline __attribute__((always_inline)) void add_tap_s8(const std::int8_t* x, const std::int16_t* w, int zero_x,
                                                      int n, std::int32_t* acc) {
  for (int i = 0; i < n; ++i) {
    const auto value = static_cast<std::int16_t>(x[i] - zero_x);
    acc[i] += std::int32_t{value} * w[i];
  }
}

template <class End>
void depthwise_any_s8(const DepthwiseS8& a) {
  constexpr int kBlock = kDepthwisePlainBlockS8;
  const End end(a);
  const std::ptrdiff_t padded = (a.c + kBlock - 1) / kBlock * kBlock;
  const auto* const weight = reinterpret_cast<const std::int16_t*>(a.weight);
  alignas(64) std::int32_t acc[kBlock];
  for (int ho = a.row_begin; ho < a.row_end; ++ho)
    for (int wo = 0; wo < a.wo; ++wo) {
      std::int8_t* const y = a.y + (static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo + wo) * a.c;
      for (int channel = 0; channel < a.c; channel += kBlock) {
        const int n = a.c - channel < kBlock ? a.c - channel : kBlock;
        for (int i = 0; i < kBlock; ++i) acc[i] = a.bias[channel + i];
        for (int r = 0; r < a.kernel_h; ++r) {
          const int h = ho * a.stride_h - a.pad_top + r;
          if (h < 0 || h >= a.h) continue;
          const int left = wo * a.stride_w - a.pad_left > 0 ? wo * a.stride_w - a.pad_left : 0;
          const int first = (h * a.w + left) % a.ring;  // where column `left` is; those behind it may wrap
          for (int s = 0; s < a.kernel_w; ++s) {
            const int w = wo * a.stride_w - a.pad_left + s;
            if (w < 0 || w >= a.w) continue;
            const std::int16_t* const tap = weight + (r * a.kernel_w + s) * padded + channel;
            const int place = first + w - left < a.ring ? first + w - left : first + w - left - a.ring;
            const std::int8_t* const from = a.x + static_cast<std::ptrdiff_t>(place) * a.c + channel;
            if (n == kBlock)
              add_tap_s8(from, tap, a.zero_x, kBlock, acc);
            else
              add_tap_s8(from, tap, a.zero_x, n, acc);
          }
        }
        end(acc, channel, n, y + channel);
      }
    }
}

/// Requantization in plain C++.
struct ScalarEndS8 {
  explicit ScalarEndS8(const DepthwiseS8& from) : a(from) {}
  void operator()(const std::int32_t* acc, int channel, int n, std::int8_t* y) const {
    for (int i = 0; i < n; ++i) {
      const linnet_multiplier by = {a.m[channel + i], a.t[channel + i]};
      y[i] = linnet_requantize(acc[i], by, a.to);
      if (a.table) y[i] = linnet_lookup(a.table, y[i]);
    }
  }
  const DepthwiseS8& a;
};

/// Requantization in vectors.
template <class V>
struct VectorEndS8 {
  explicit VectorEndS8(const DepthwiseS8& from) : a(from), to(from.to) {}
  void operator()(const std::int32_t* acc, int channel, int n, std::int8_t* y) const {
    constexpr int kBlock = 4 * V::kLanes;
    for (int i = 0; i < n; i += kBlock) {
      typename V::I32 v[4];
      for (int j = 0; j < 4; ++j) {
        const int at = i + j * V::kLanes;
        v[j] = a.m ? V::scale(V::load(acc + at), V::load(a.m + channel + at), V::load(a.t + channel + at), to)
                   : V::scale(V::load(acc + at), V::load(a.scale + channel + at), to);
      }
      typename V::S8 bytes = V::clamp(V::in_order(V::pack(v[0], v[1], v[2], v[3])), to);
      if (a.table) bytes = V::lookup(a.table, bytes);
      V::store_partial(y + i, bytes, n - i);
    }
  }
  const DepthwiseS8& a;
  typename V::Output to;
};

}  // namespace
}  // namespace linnet::cpu
