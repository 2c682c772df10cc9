// The one body of pool, over any vector type V and T: float, or half of one. Internal linkage: see
// finish_body.h.
#pragma once

#include "cpu/kernels/pool/pool_f32.h"

namespace linnet::cpu {
namespace {

template <class V, class T>
void pool_float(const PoolOf<T>& a) {
  const V scale = V::set(1.0f / static_cast<float>(a.pixels));
  // Eight sums at a time hide the latency of the addition.
  constexpr int kVectors = 8;
  int channel = a.channel_begin;
  for (; channel + kVectors * V::kWidth <= a.channel_end; channel += kVectors * V::kWidth) {
    V sum[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sum[j] = V::zero();
    for (std::ptrdiff_t p = 0; p < a.pixels; ++p)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sum[j] = sum[j] + V::load(a.x + p * a.c + channel + j * V::kWidth);
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) (sum[j] * scale).store(a.y + channel + j * V::kWidth);
  }
  for (; channel < a.channel_end; channel += V::kWidth) {
    const int lanes = a.channel_end - channel < V::kWidth ? a.channel_end - channel : V::kWidth;
    V sum = V::zero();
    for (std::ptrdiff_t p = 0; p < a.pixels; ++p) sum = sum + V::load_partial(a.x + p * a.c + channel, lanes);
    (sum * scale).store_partial(a.y + channel, lanes);
  }
}

}  // namespace
}  // namespace linnet::cpu
