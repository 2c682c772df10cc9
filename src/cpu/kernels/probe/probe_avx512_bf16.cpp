#include <immintrin.h>

#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu::avx512_bf16 {
namespace {

constexpr int kChains = 12;

float run(std::int64_t iterations) {
  volatile float seed = 0.25f;
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(seed), _mm512_set1_ps(seed));
  __m512 sum[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], a, a);
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return _mm512_cvtss_f32(sum[0]);
}

}  // namespace

MultiplyAddProbe probe_bf16() { return {run, kChains * 32}; }

}  // namespace linnet::cpu::avx512_bf16
