// The bytes of quads added up, for pools: AVX2, whose depthwise layers run in float.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "numerics/int8_avx2.h"

namespace linnet::cpu::avx2 {
namespace {

struct Quads {
  using Int8 = numerics::avx2::Int8;
  static constexpr DepthwiseLayoutS8 kLayout = {.form = QuadForm::kNone,
                                                .lanes = 8,
                                                .narrow_lanes = 8,
                                                .offset_even = 128,
                                                .offset_odd = 128,
                                                .float_channels = kAnyChannelsS8};

  static inline void interleave(const __m256i (&x)[4], __m256i (&quads)[4]) {
    const __m256i sign = _mm256_set1_epi8(-128);
    const __m256i a = _mm256_xor_si256(x[0], sign), b = _mm256_xor_si256(x[1], sign);
    const __m256i c = _mm256_xor_si256(x[2], sign), d = _mm256_xor_si256(x[3], sign);
    const __m256i ab_low = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi8(c, d), cd_high = _mm256_unpackhi_epi8(c, d);
    quads[0] = _mm256_unpacklo_epi16(ab_low, cd_low);
    quads[1] = _mm256_unpackhi_epi16(ab_low, cd_low);
    quads[2] = _mm256_unpacklo_epi16(ab_high, cd_high);
    quads[3] = _mm256_unpackhi_epi16(ab_high, cd_high);
  }
  static inline __m256i add_up(__m256i acc, __m256i quad) {
    const __m256i pairs = _mm256_maddubs_epi16(quad, _mm256_set1_epi8(1));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx2
