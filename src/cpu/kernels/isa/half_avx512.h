// Sixteen halves of float32 to a zmm register and back. Where the unit is compiled for AVX512_BF16, one
// instruction rounds to bfloat16; elsewhere integers do, to the same bits (but for denormals, which the
// instruction makes zero).
#pragma once

#include <immintrin.h>

#include "cpu/kernels/half.h"

namespace linnet::cpu::avx512 {
namespace {

inline __m512 widen(Bf16, __m256i h) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
inline __m512 widen(Fp16, __m256i h) { return _mm512_cvtph_ps(h); }

inline __m256i narrow(Bf16, __m512 v) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v));
#else
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
#endif
}
inline __m256i narrow(Fp16, __m512 v) {
  return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

}  // namespace
}  // namespace linnet::cpu::avx512
