// int8.h on zmm registers: AVX-512 F, BW, DQ and VL. Each function equals its scalar namesake byte for byte
// (vectors_test.cpp). Internal linkage: a unit compiled for more instructions must not lend its copy to
// others.
#pragma once

#include <immintrin.h>

#include "numerics/int8.h"

namespace linnet::numerics::avx512 {
namespace {

#define LINNET_INLINE static inline __attribute__((always_inline))

struct Int8 {
  static constexpr int kLanes = 16;  ///< int32 values in an I32; an S8 holds four times as many bytes
  using I32 = __m512i;
  using F32 = __m512;
  using S8 = __m512i;

  LINNET_INLINE I32 load(const int32_t* p) { return _mm512_loadu_si512(p); }
  LINNET_INLINE F32 load(const float* p) { return _mm512_loadu_ps(p); }
  LINNET_INLINE S8 load(const int8_t* p) { return _mm512_loadu_si512(p); }
  LINNET_INLINE void store(int32_t* p, I32 v) { _mm512_storeu_si512(p, v); }
  LINNET_INLINE void store(int8_t* p, S8 v) { _mm512_storeu_si512(p, v); }
  /// The first n bytes, 0 <= n <= 64, the rest zero; memory behind them is not touched.
  LINNET_INLINE S8 load_partial(const int8_t* p, int n) { return _mm512_maskz_loadu_epi8(mask(n), p); }
  LINNET_INLINE void store_partial(int8_t* p, S8 v, int n) { _mm512_mask_storeu_epi8(p, mask(n), v); }
  /// The first kVectors * kLanes bytes.
  template <int kVectors>
  LINNET_INLINE void store_first(int8_t* p, S8 v) {
    if constexpr (kVectors == 4) return store(p, v);
    if constexpr (kVectors == 1)
      return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_castsi512_si128(v));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256(v));
    if constexpr (kVectors == 3)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 32), _mm512_extracti32x4_epi32(v, 2));
  }

  /// A linnet_output in registers.
  struct Output {
    F32 offset;  ///< 1.5 * 2^23 + zero_point
    I32 zero;
    S8 lo, hi;
    explicit Output(linnet_output to)
        : offset(_mm512_set1_ps(0x1.8p23f + static_cast<float>(to.zero_point))),
          zero(_mm512_set1_epi32(to.zero_point)),
          lo(_mm512_set1_epi8(static_cast<char>(to.lo))),
          hi(_mm512_set1_epi8(static_cast<char>(to.hi))) {}
  };

  /// zero_point + linnet_scale(acc, by) where linnet_is_exact_in_float(); scale is m * 2^-t. Where the zero
  /// point takes the sum out of [2^23, 2^24), the value is far beyond int8 and stays there: pack() limits it.
  LINNET_INLINE I32 scale(F32 acc, F32 scale, const Output& to) {
    const F32 sum = _mm512_fmadd_ps(acc, scale, to.offset);
    return _mm512_sub_epi32(_mm512_castps_si512(sum), _mm512_set1_epi32(0x4b400000));
  }
  LINNET_INLINE I32 scale(I32 acc, F32 by, const Output& to) {
    return scale(_mm512_cvtepi32_ps(acc), by, to);
  }
  /// zero_point + linnet_scale(acc, by) for any acc and by, limited to 30 bits.
  LINNET_INLINE I32 scale(I32 acc, I32 m, I32 t, const Output& to) {
    const I32 even = scale_even(acc, m, _mm512_and_si512(t, _mm512_set1_epi64(0xffffffff)));
    const I32 odd =
        scale_even(_mm512_srli_epi64(acc, 32), _mm512_srli_epi64(m, 32), _mm512_srli_epi64(t, 32));
    return _mm512_add_epi32(_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32)), to.zero);
  }

  /// Four vectors limited to int8: byte 16 * g + 4 * v + i is value 4 * g + i of vector v. compact() and
  /// in_order() make other orders of it.
  LINNET_INLINE S8 pack(I32 a, I32 b, I32 c, I32 d) {
    return _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
  }
  /// Of pack()'s bytes those of each kVectors vectors moved together: 4 * kVectors * g + 4 * v + i. For 1 and
  /// 2 part<kVectors, n>() is the nth such share; for 3 the fourth vector's bytes come last.
  template <int kVectors>
  LINNET_INLINE S8 compact(S8 packed) {
    if constexpr (kVectors == 4) return packed;
    const S8 order = kVectors == 3 ? _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 3, 7, 11, 15)
                     : kVectors == 2
                         ? _mm512_setr_epi32(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
                         : _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, packed);
  }
  template <int kVectors, int n>
  LINNET_INLINE S8 part(S8 compacted) {
    if constexpr (n == 0) return compacted;
    if constexpr (kVectors == 2) return _mm512_castsi256_si512(_mm512_extracti64x4_epi64(compacted, n % 2));
    return _mm512_castsi128_si512(_mm512_extracti32x4_epi32(compacted, n));
  }
  /// pack()'s bytes as the vectors had them, one vector after the other.
  LINNET_INLINE S8 in_order(S8 packed) { return compact<1>(packed); }
  /// v + 128, as unsigned bytes; its own inverse.
  LINNET_INLINE S8 as_unsigned(S8 v) { return _mm512_xor_si512(v, _mm512_set1_epi8(-128)); }
  LINNET_INLINE S8 clamp(S8 v, const Output& to) { return _mm512_min_epi8(_mm512_max_epi8(v, to.lo), to.hi); }

  LINNET_INLINE I32 set(int32_t v) { return _mm512_set1_epi32(v); }
  LINNET_INLINE F32 set(float v) { return _mm512_set1_ps(v); }
  LINNET_INLINE S8 set(int8_t v) { return _mm512_set1_epi8(v); }
  LINNET_INLINE I32 add(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  LINNET_INLINE I32 sub(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
  /// Of values that fit int16.
  LINNET_INLINE I32 product(I32 a, I32 b) {
    return _mm512_madd_epi16(a, _mm512_and_si512(b, _mm512_set1_epi32(0xffff)));
  }
  /// Four vectors that pack() makes v of.
  LINNET_INLINE void widen(S8 v, I32 (&to)[4]) {
    const S8 low = _mm512_unpacklo_epi8(v, v), high = _mm512_unpackhi_epi8(v, v);
    to[0] = _mm512_srai_epi32(_mm512_unpacklo_epi16(low, low), 24);
    to[1] = _mm512_srai_epi32(_mm512_unpackhi_epi16(low, low), 24);
    to[2] = _mm512_srai_epi32(_mm512_unpacklo_epi16(high, high), 24);
    to[3] = _mm512_srai_epi32(_mm512_unpackhi_epi16(high, high), 24);
  }
  /// quantize_real() before its zero point: v * factor, limited, to the nearest integer.
  LINNET_INLINE I32 nearest(F32 v, F32 factor) {
    const F32 scaled = _mm512_mul_ps(v, factor);
    const F32 limited = _mm512_max_ps(_mm512_min_ps(scaled, _mm512_set1_ps(511.0f)), _mm512_set1_ps(-512.0f));
    return _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(scaled, scaled, _CMP_ORD_Q), limited);
  }

  /// What linnet_add() takes beside its operands.
  struct Sum {
    I32 factors;  ///< pairs of m_a, m_b
    I32 offset;   ///< 2^(t-1) - zero_a * m_a - zero_b * m_b
    __m128i t;
    S8 zero16;
    Output to;
    Sum(int32_t zero_a, int32_t zero_b, linnet_add_multiplier by, linnet_output out)
        : factors(_mm512_set1_epi32(by.m_b << 16 | by.m_a)),
          offset(_mm512_set1_epi32((1 << (by.t - 1)) - zero_a * by.m_a - zero_b * by.m_b)),
          t(_mm_cvtsi32_si128(by.t)),
          zero16(_mm512_set1_epi16(static_cast<short>(out.zero_point))),
          to(out) {}
  };
  LINNET_INLINE S8 add(S8 a, S8 b, const Sum& by) {
    const S8 low = _mm512_unpacklo_epi8(a, b);
    const S8 high = _mm512_unpackhi_epi8(a, b);
    const S8 w0 = _mm512_packs_epi32(add_pairs(_mm512_unpacklo_epi8(low, low), by),
                                     add_pairs(_mm512_unpackhi_epi8(low, low), by));
    const S8 w1 = _mm512_packs_epi32(add_pairs(_mm512_unpacklo_epi8(high, high), by),
                                     add_pairs(_mm512_unpackhi_epi8(high, high), by));
    return clamp(_mm512_packs_epi16(_mm512_adds_epi16(w0, by.zero16), _mm512_adds_epi16(w1, by.zero16)),
                 by.to);
  }

  /// linnet_lookup() of every byte; `table` has 256.
  LINNET_INLINE S8 lookup(const int8_t* table, S8 x) {
    // Pairs of entries as words: bits 1 to 6 of a byte choose one of 64 in two registers, the sign the
    // registers, bit 0 the byte. Bytes in even and in odd places apart.
    const S8 n0 = load(table), n1 = load(table + 64), p0 = load(table + 128), p1 = load(table + 192);
    const S8 even = _mm512_srli_epi16(x, 1), odd = _mm512_srli_epi16(x, 9);
    const S8 pair_even = _mm512_mask_blend_epi16(_mm512_test_epi16_mask(x, _mm512_set1_epi16(0x80)),
                                                 _mm512_permutex2var_epi16(p0, even, p1),
                                                 _mm512_permutex2var_epi16(n0, even, n1));
    const S8 pair_odd =
        _mm512_mask_blend_epi16(_mm512_movepi16_mask(x), _mm512_permutex2var_epi16(p0, odd, p1),
                                _mm512_permutex2var_epi16(n0, odd, n1));
    const S8 eight = _mm512_set1_epi16(8);
    const S8 low = _mm512_srlv_epi16(pair_even, _mm512_and_si512(_mm512_slli_epi16(x, 3), eight));
    const S8 high = _mm512_sllv_epi16(pair_odd, _mm512_andnot_si512(_mm512_srli_epi16(x, 5), eight));
    return _mm512_mask_blend_epi8(0xaaaaaaaaaaaaaaaa, low, high);
  }

 private:
  LINNET_INLINE __mmask64 mask(int n) { return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }
  /// Of the even int32 lanes of acc and m; t as int64.
  LINNET_INLINE I32 scale_even(I32 acc, I32 m, I32 t) {
    const I32 one = _mm512_set1_epi64(1);
    const I32 half = _mm512_sllv_epi64(one, _mm512_sub_epi64(t, one));
    const I32 scaled = _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(acc, m), half), t);
    const I32 limited =
        _mm512_min_epi64(_mm512_max_epi64(scaled, _mm512_set1_epi64(-(1 << 29))), _mm512_set1_epi64(1 << 29));
    return limited;
  }
  /// One vector of sums from the pairs (a, b), each byte there twice.
  LINNET_INLINE I32 add_pairs(S8 doubled, const Sum& by) {
    const I32 pairs = _mm512_srai_epi16(doubled, 8);
    return _mm512_sra_epi32(_mm512_add_epi32(_mm512_madd_epi16(pairs, by.factors), by.offset), by.t);
  }
};

#undef LINNET_INLINE

}  // namespace
}  // namespace linnet::numerics::avx512
