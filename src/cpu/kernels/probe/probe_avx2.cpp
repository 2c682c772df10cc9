#include <immintrin.h>

#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu::avx2 {
namespace {

constexpr int kChains = 8;

float run(std::int64_t iterations) {
  volatile int seed = 0x01010101;
  const __m256i a = _mm256_set1_epi32(seed);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[kChains];
#pragma GCC unroll 8
  for (int i = 0; i < kChains; ++i) sum[i] = _mm256_set1_epi32(i);
  for (std::int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 8
    for (int i = 0; i < kChains; ++i)  // the sum is an operand, or the products would leave the loop
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, sum[i]), ones));
#pragma GCC unroll 8
  for (int i = 1; i < kChains; ++i) sum[0] = _mm256_add_epi32(sum[0], sum[i]);
  return static_cast<float>(_mm256_extract_epi32(sum[0], 0));
}

}  // namespace

MultiplyAddProbe probe_s8() { return {run, kChains * 32}; }

}  // namespace linnet::cpu::avx2
