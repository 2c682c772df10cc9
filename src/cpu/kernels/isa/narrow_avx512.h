// What the quads of AVX-512 with and without VNNI share: half vectors for the last channels, interleaving.
#pragma once

#include <immintrin.h>

#include "numerics/int8_avx2.h"

namespace linnet::cpu::avx512 {
namespace {

/// numerics/int8_avx2.h with the partial loads and stores of AVX-512 VL.
struct NarrowInt8 : numerics::avx2::Int8 {
  static inline S8 load_partial(const std::int8_t* p, int n) { return _mm256_maskz_loadu_epi8(mask(n), p); }
  static inline void store_partial(std::int8_t* p, S8 v, int n) { _mm256_mask_storeu_epi8(p, mask(n), v); }

  static inline S8 as_unsigned(S8 v) { return _mm256_xor_si256(v, _mm256_set1_epi8(-128)); }

 private:
  static inline __mmask32 mask(int n) { return n >= 32 ? ~__mmask32{0} : (__mmask32{1} << n) - 1; }
};

/// Rows a to d to quads: in each, a byte of every row. pack() undoes it.
inline void interleave(__m256i a, __m256i b, __m256i c, __m256i d, __m256i (&quads)[4]) {
  const __m256i ab_low = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
  const __m256i cd_low = _mm256_unpacklo_epi8(c, d), cd_high = _mm256_unpackhi_epi8(c, d);
  quads[0] = _mm256_unpacklo_epi16(ab_low, cd_low);
  quads[1] = _mm256_unpackhi_epi16(ab_low, cd_low);
  quads[2] = _mm256_unpacklo_epi16(ab_high, cd_high);
  quads[3] = _mm256_unpackhi_epi16(ab_high, cd_high);
}
inline void interleave(__m512i a, __m512i b, __m512i c, __m512i d, __m512i (&quads)[4]) {
  const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
  quads[0] = _mm512_unpacklo_epi16(ab_low, cd_low);
  quads[1] = _mm512_unpackhi_epi16(ab_low, cd_low);
  quads[2] = _mm512_unpacklo_epi16(ab_high, cd_high);
  quads[3] = _mm512_unpackhi_epi16(ab_high, cd_high);
}

}  // namespace
}  // namespace linnet::cpu::avx512
