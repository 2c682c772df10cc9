#include <immintrin.h>

#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu::avx512_vnni {
namespace {

constexpr int kChains = 12;

float run(std::int64_t iterations) {
  volatile int seed = 0x01010101;
  const __m512i a = _mm512_set1_epi32(seed);
  __m512i sum[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_epi32(i);
  for (std::int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = _mm512_dpbusd_epi32(sum[i], a, a);
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  return static_cast<float>(_mm_cvtsi128_si32(_mm512_castsi512_si128(sum[0])));
}

}  // namespace

MultiplyAddProbe probe_s8() { return {run, kChains * 64}; }

}  // namespace linnet::cpu::avx512_vnni
