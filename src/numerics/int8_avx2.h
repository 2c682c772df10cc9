// int8.h on ymm registers: AVX2 with FMA. Each function equals its scalar namesake byte for byte
// (vectors_test.cpp). Internal linkage: a unit compiled for more instructions must not lend its copy to
// others.
#pragma once

#include <immintrin.h>

#include "numerics/int8.h"

namespace linnet::numerics::avx2 {
namespace {

#define LINNET_INLINE static inline __attribute__((always_inline))

struct Int8 {
  static constexpr int kLanes = 8;  ///< int32 values in an I32; an S8 holds four times as many bytes
  using I32 = __m256i;
  using F32 = __m256;
  using S8 = __m256i;

  LINNET_INLINE I32 load(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  LINNET_INLINE F32 load(const float* p) { return _mm256_loadu_ps(p); }
  LINNET_INLINE S8 load(const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  LINNET_INLINE void store(int32_t* p, I32 v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  LINNET_INLINE void store(int8_t* p, S8 v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  /// The first n bytes, 0 <= n <= 32, the rest zero; memory behind them is not touched.
  LINNET_INLINE S8 load_partial(const int8_t* p, int n) {
    if (n >= 32) return load(p);
    alignas(32) int8_t bytes[32] = {};
    __builtin_memcpy(bytes, p, static_cast<unsigned>(n));
    return load(bytes);
  }
  LINNET_INLINE void store_partial(int8_t* p, S8 v, int n) {
    if (n >= 32) return store(p, v);
    alignas(32) int8_t bytes[32];
    store(bytes, v);
    __builtin_memcpy(p, bytes, static_cast<unsigned>(n));
  }
  /// The first kVectors * kLanes bytes.
  template <int kVectors>
  LINNET_INLINE void store_first(int8_t* p, S8 v) {
    if constexpr (kVectors == 4) return store(p, v);
    if constexpr (kVectors == 1)
      return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(v));
    if constexpr (kVectors == 3)
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p + 16), _mm256_extracti128_si256(v, 1));
  }

  /// A linnet_output in registers.
  struct Output {
    F32 offset;  ///< 1.5 * 2^23 + zero_point
    I32 zero;
    S8 lo, hi;
    explicit Output(linnet_output to)
        : offset(_mm256_set1_ps(0x1.8p23f + static_cast<float>(to.zero_point))),
          zero(_mm256_set1_epi32(to.zero_point)),
          lo(_mm256_set1_epi8(static_cast<char>(to.lo))),
          hi(_mm256_set1_epi8(static_cast<char>(to.hi))) {}
  };

  /// zero_point + linnet_scale(acc, by) where linnet_is_exact_in_float(); scale is m * 2^-t. Where the zero
  /// point takes the sum out of [2^23, 2^24), the value is far beyond int8 and stays there: pack() limits it.
  LINNET_INLINE I32 scale(F32 acc, F32 scale, const Output& to) {
    const F32 sum = _mm256_fmadd_ps(acc, scale, to.offset);
    return _mm256_sub_epi32(_mm256_castps_si256(sum), _mm256_set1_epi32(0x4b400000));
  }
  LINNET_INLINE I32 scale(I32 acc, F32 by, const Output& to) {
    return scale(_mm256_cvtepi32_ps(acc), by, to);
  }
  /// zero_point + linnet_scale(acc, by) for any acc and by, limited to 30 bits.
  LINNET_INLINE I32 scale(I32 acc, I32 m, I32 t, const Output& to) {
    const I32 even = scale_even(acc, m, _mm256_and_si256(t, _mm256_set1_epi64x(0xffffffff)));
    const I32 odd =
        scale_even(_mm256_srli_epi64(acc, 32), _mm256_srli_epi64(m, 32), _mm256_srli_epi64(t, 32));
    return _mm256_add_epi32(_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa), to.zero);
  }

  /// Four vectors limited to int8: byte 16 * g + 4 * v + i is value 4 * g + i of vector v. compact() and
  /// in_order() make other orders of it.
  LINNET_INLINE S8 pack(I32 a, I32 b, I32 c, I32 d) {
    return _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  }
  /// Of pack()'s bytes those of each kVectors vectors moved together: 4 * kVectors * g + 4 * v + i. For 1 and
  /// 2 part<kVectors, n>() is the nth such share; for 3 the fourth vector's bytes come last.
  template <int kVectors>
  LINNET_INLINE S8 compact(S8 packed) {
    if constexpr (kVectors == 4) return packed;
    const S8 order = kVectors == 3   ? _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7)
                     : kVectors == 2 ? _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7)
                                     : _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    return _mm256_permutevar8x32_epi32(packed, order);
  }
  template <int kVectors, int n>
  LINNET_INLINE S8 part(S8 compacted) {
    if constexpr (n == 0) return compacted;
    if constexpr (kVectors == 2) return _mm256_permute4x64_epi64(compacted, 0x0e);
    return _mm256_permute4x64_epi64(compacted, n);
  }
  /// pack()'s bytes as the vectors had them, one vector after the other.
  LINNET_INLINE S8 in_order(S8 packed) { return compact<1>(packed); }
  LINNET_INLINE S8 clamp(S8 v, const Output& to) { return _mm256_min_epi8(_mm256_max_epi8(v, to.lo), to.hi); }

  LINNET_INLINE I32 set(int32_t v) { return _mm256_set1_epi32(v); }
  LINNET_INLINE F32 set(float v) { return _mm256_set1_ps(v); }
  LINNET_INLINE S8 set(int8_t v) { return _mm256_set1_epi8(v); }
  LINNET_INLINE I32 add(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
  LINNET_INLINE I32 sub(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
  /// Of values that fit int16.
  LINNET_INLINE I32 product(I32 a, I32 b) {
    return _mm256_madd_epi16(a, _mm256_and_si256(b, _mm256_set1_epi32(0xffff)));
  }
  /// Four vectors that pack() makes v of.
  LINNET_INLINE void widen(S8 v, I32 (&to)[4]) {
    const S8 low = _mm256_unpacklo_epi8(v, v), high = _mm256_unpackhi_epi8(v, v);
    to[0] = _mm256_srai_epi32(_mm256_unpacklo_epi16(low, low), 24);
    to[1] = _mm256_srai_epi32(_mm256_unpackhi_epi16(low, low), 24);
    to[2] = _mm256_srai_epi32(_mm256_unpacklo_epi16(high, high), 24);
    to[3] = _mm256_srai_epi32(_mm256_unpackhi_epi16(high, high), 24);
  }
  /// quantize_real() before its zero point: v * factor, limited, to the nearest integer.
  LINNET_INLINE I32 nearest(F32 v, F32 factor) {
    const F32 scaled = _mm256_mul_ps(v, factor);
    const F32 number = _mm256_and_ps(scaled, _mm256_cmp_ps(scaled, scaled, _CMP_ORD_Q));
    return _mm256_cvtps_epi32(
        _mm256_max_ps(_mm256_min_ps(number, _mm256_set1_ps(511.0f)), _mm256_set1_ps(-512.0f)));
  }

  /// What linnet_add() takes beside its operands.
  struct Sum {
    I32 factors;  ///< pairs of m_a, m_b
    I32 offset;   ///< 2^(t-1) - zero_a * m_a - zero_b * m_b
    __m128i t;
    S8 zero16;
    Output to;
    Sum(int32_t zero_a, int32_t zero_b, linnet_add_multiplier by, linnet_output out)
        : factors(_mm256_set1_epi32(by.m_b << 16 | by.m_a)),
          offset(_mm256_set1_epi32((1 << (by.t - 1)) - zero_a * by.m_a - zero_b * by.m_b)),
          t(_mm_cvtsi32_si128(by.t)),
          zero16(_mm256_set1_epi16(static_cast<short>(out.zero_point))),
          to(out) {}
  };
  LINNET_INLINE S8 add(S8 a, S8 b, const Sum& by) {
    const S8 low = _mm256_unpacklo_epi8(a, b);
    const S8 high = _mm256_unpackhi_epi8(a, b);
    const S8 w0 = _mm256_packs_epi32(add_pairs(_mm256_unpacklo_epi8(low, low), by),
                                     add_pairs(_mm256_unpackhi_epi8(low, low), by));
    const S8 w1 = _mm256_packs_epi32(add_pairs(_mm256_unpacklo_epi8(high, high), by),
                                     add_pairs(_mm256_unpackhi_epi8(high, high), by));
    return clamp(_mm256_packs_epi16(_mm256_adds_epi16(w0, by.zero16), _mm256_adds_epi16(w1, by.zero16)),
                 by.to);
  }

  /// linnet_lookup() of every byte; `table` has 256.
  LINNET_INLINE S8 lookup(const int8_t* table, S8 x) {
    const S8 column = _mm256_and_si256(x, _mm256_set1_epi8(15));
    // Bits 4 to 7 of x choose between neighbouring sixteenths of the table, then eighths and so on.
    const S8 bit4 = _mm256_slli_epi16(x, 3), bit5 = _mm256_slli_epi16(x, 2), bit6 = _mm256_slli_epi16(x, 1);
    S8 quarter[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const int8_t* values = table + 64 * i;
      const S8 a = _mm256_blendv_epi8(sixteenth(values, column), sixteenth(values + 16, column), bit4);
      const S8 b = _mm256_blendv_epi8(sixteenth(values + 32, column), sixteenth(values + 48, column), bit4);
      quarter[i] = _mm256_blendv_epi8(a, b, bit5);
    }
    const S8 negative = _mm256_blendv_epi8(quarter[0], quarter[1], bit6);
    const S8 positive = _mm256_blendv_epi8(quarter[2], quarter[3], bit6);
    return _mm256_blendv_epi8(positive, negative, x);
  }

 private:
  /// Of the even int32 lanes of acc and m; t as int64. AVX2 shifts int64 in zeros only: 2^62 makes it
  /// positive.
  LINNET_INLINE I32 scale_even(I32 acc, I32 m, I32 t) {
    const I32 one = _mm256_set1_epi64x(1);
    const I32 lift = _mm256_set1_epi64x(int64_t{1} << 62);
    const I32 half = _mm256_sllv_epi64(one, _mm256_sub_epi64(t, one));
    const I32 sum = _mm256_add_epi64(_mm256_add_epi64(_mm256_mul_epi32(acc, m), half), lift);
    I32 scaled = _mm256_sub_epi64(_mm256_srlv_epi64(sum, t), _mm256_srlv_epi64(lift, t));
    const I32 low = _mm256_set1_epi64x(-(1 << 29)), high = _mm256_set1_epi64x(1 << 29);
    scaled = _mm256_blendv_epi8(scaled, low, _mm256_cmpgt_epi64(low, scaled));
    return _mm256_blendv_epi8(scaled, high, _mm256_cmpgt_epi64(scaled, high));
  }
  /// One vector of sums from the pairs (a, b), each byte there twice.
  LINNET_INLINE I32 add_pairs(S8 doubled, const Sum& by) {
    const I32 pairs = _mm256_srai_epi16(doubled, 8);
    return _mm256_sra_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs, by.factors), by.offset), by.t);
  }
  LINNET_INLINE S8 sixteenth(const int8_t* values, S8 column) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(v), column);
  }
};

#undef LINNET_INLINE

}  // namespace
}  // namespace linnet::numerics::avx2
