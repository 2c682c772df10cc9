// The bytes of quads added up, for pools: AVX-512 without VNNI, whose depthwise layers run in float.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "cpu/kernels/isa/narrow_avx512.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512 {
namespace {

struct Quads {
  using Int8 = numerics::avx512::Int8;
  static constexpr DepthwiseLayoutS8 kLayout = {.form = QuadForm::kNone,
                                                .lanes = 16,
                                                .narrow_lanes = 8,
                                                .offset_even = 128,
                                                .offset_odd = 128,
                                                .float_channels = kAnyChannelsS8};

  static inline void interleave(const __m512i (&x)[4], __m512i (&quads)[4]) {
    const __m512i sign = _mm512_set1_epi8(-128);
    avx512::interleave(_mm512_xor_si512(x[0], sign), _mm512_xor_si512(x[1], sign),
                       _mm512_xor_si512(x[2], sign), _mm512_xor_si512(x[3], sign), quads);
  }
  static inline __m512i add_up(__m512i acc, __m512i quad) {
    const __m512i pairs = _mm512_maddubs_epi16(quad, _mm512_set1_epi8(1));
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512
