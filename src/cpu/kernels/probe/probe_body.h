// The probes that every vector type has. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu {
namespace {

/// Enough independent chains to hide the latency of a multiply-add on two units or more.
constexpr int kProbeChains = 12;

template <class V>
float probe_f32(std::int64_t iterations) {
  V sum[kProbeChains];
#pragma GCC unroll 16
  for (int i = 0; i < kProbeChains; ++i) sum[i] = V::set(static_cast<float>(i));
  // Values that the compiler cannot know, and that converge: no denormals, no infinities.
  volatile float half = 0.5f;
  const V a = V::set(half);
  for (std::int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 16
    for (int i = 0; i < kProbeChains; ++i) sum[i] = fma(sum[i], a, a);
  V total = V::zero();
#pragma GCC unroll 16
  for (int i = 0; i < kProbeChains; ++i) total = total + sum[i];
  float lanes[V::kWidth];
  total.store(lanes);
  return lanes[0];
}

template <class V>
float probe_read(const float* values, std::ptrdiff_t n) {
  constexpr int kVectors = 8;
  V sum[kVectors];
#pragma GCC unroll 8
  for (int j = 0; j < kVectors; ++j) sum[j] = V::zero();
  for (std::ptrdiff_t i = 0; i < n; i += kVectors * V::kWidth)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sum[j] = sum[j] + V::load(values + i + j * V::kWidth);
#pragma GCC unroll 8
  for (int j = 1; j < kVectors; ++j) sum[0] = sum[0] + sum[j];
  float lanes[V::kWidth];
  sum[0].store(lanes);
  return lanes[0];
}

template <class V>
constexpr Probe probe() {
  return {.f32 = {probe_f32<V>, kProbeChains * V::kWidth}, .read = probe_read<V>};
}

}  // namespace
}  // namespace linnet::cpu
