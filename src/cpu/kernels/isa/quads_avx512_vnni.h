// Four int8 products a lane in one instruction: AVX-512 VNNI, in zmm registers and, for the channels left
// over, in ymm registers.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "cpu/kernels/isa/narrow_avx512.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512_vnni {
namespace {

inline constexpr DepthwiseLayoutS8 kDepthwiseLayout = {.form = QuadForm::kBytes,
                                                       .lanes = 16,
                                                       .narrow_lanes = 8,
                                                       .offset_even = 128,
                                                       .offset_odd = 128,
                                                       .has_columns = true};

/// In every 16 bytes, byte i of each dword to dword i.
#define LINNET_TRANSPOSE_BYTES 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15

struct NarrowQuads {
  using Int8 = avx512::NarrowInt8;
  using Quad = __m256i;
  using Weights = __m256i;
  static constexpr DepthwiseLayoutS8 kLayout = kDepthwiseLayout;
  static constexpr int kWeightBytes = 32;  ///< a vector's
  static constexpr int kPixels = 3;        ///< columns of a tile

  static inline void interleave(const __m256i (&x)[4], __m256i (&quads)[4]) {
    const __m256i sign = _mm256_set1_epi8(-128);
    avx512::interleave(_mm256_xor_si256(x[0], sign), _mm256_xor_si256(x[1], sign),
                       _mm256_xor_si256(x[2], sign), _mm256_xor_si256(x[3], sign), quads);
  }
  /// Eight channels of four pixels, each plus 128, as quads.
  static inline __m256i columns(const std::int8_t* a, const std::int8_t* b, const std::int8_t* c,
                                const std::int8_t* d) {
    const __m256i rows = _mm256_setr_m128i(two(a, b), two(c, d));
    const __m256i by_lane = _mm256_permutevar8x32_epi32(rows, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    const __m256i order = _mm256_setr_epi8(LINNET_TRANSPOSE_BYTES, LINNET_TRANSPOSE_BYTES);
    return _mm256_xor_si256(_mm256_shuffle_epi8(by_lane, order), _mm256_set1_epi8(-128));
  }
  /// Columns 2 and 3 of x, columns 0 and 1 of the quads at `next`: the latter first.
  static inline __m256i straddle(__m256i x, const std::int8_t* next) {
    return _mm256_mask_loadu_epi16(x, 0x5555, next);
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) __m256i pin(__m256i v) {
    asm volatile("" : "+v"(v));
    return v;
  }
  static inline Weights pin_weights(Weights w) { return pin(w); }
  static inline Weights load_weights(const std::byte* w) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  }
  static inline __m256i multiply_add(__m256i acc, Quad x, Weights w) {
    return _mm256_dpbusd_epi32(acc, x, w);
  }

 private:
  static inline __m128i two(const std::int8_t* a, const std::int8_t* b) {
    const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a));
    return _mm_unpacklo_epi64(low, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b)));
  }
};

struct Quads {
  using Int8 = numerics::avx512::Int8;
  using Narrow = NarrowQuads;
  using Quad = __m512i;
  using Weights = __m512i;
  static constexpr DepthwiseLayoutS8 kLayout = kDepthwiseLayout;
  static constexpr int kWeightBytes = 64;
  static constexpr int kPixels = 3;

  static inline void interleave(const __m512i (&x)[4], __m512i (&quads)[4]) {
    const __m512i sign = _mm512_set1_epi8(-128);
    avx512::interleave(_mm512_xor_si512(x[0], sign), _mm512_xor_si512(x[1], sign),
                       _mm512_xor_si512(x[2], sign), _mm512_xor_si512(x[3], sign), quads);
  }
  /// Sixteen channels of four pixels, each plus 128, as quads.
  static inline __m512i columns(const std::int8_t* a, const std::int8_t* b, const std::int8_t* c,
                                const std::int8_t* d) {
    __m512i rows = _mm512_castsi128_si512(sixteen(a));
    rows = _mm512_inserti32x4(rows, sixteen(b), 1);
    rows = _mm512_inserti32x4(rows, sixteen(c), 2);
    rows = _mm512_inserti32x4(rows, sixteen(d), 3);
    const __m512i by_lane = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), rows);
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(LINNET_TRANSPOSE_BYTES));
    return _mm512_xor_si512(_mm512_shuffle_epi8(by_lane, order), _mm512_set1_epi8(-128));
  }
  /// Columns 2 and 3 of x, columns 0 and 1 of the quads at `next`: the latter first.
  static inline __m512i straddle(__m512i x, const std::int8_t* next) {
    return _mm512_mask_loadu_epi16(x, 0x55555555, next);
  }
  /// pack()ed bytes of four pixels, one vector of channels after the other, as interleave() makes these, to
  /// pixels of 64 channels.
  static inline void to_pixels(const __m512i (&packed)[4], __m512i (&pixels)[4]) {
    const __m512i low01 = _mm512_unpacklo_epi32(packed[0], packed[1]);
    const __m512i high01 = _mm512_unpackhi_epi32(packed[0], packed[1]);
    const __m512i low23 = _mm512_unpacklo_epi32(packed[2], packed[3]);
    const __m512i high23 = _mm512_unpackhi_epi32(packed[2], packed[3]);
    pixels[0] = _mm512_unpacklo_epi64(low01, low23);
    pixels[1] = _mm512_unpackhi_epi64(low01, low23);
    pixels[2] = _mm512_unpacklo_epi64(high01, high23);
    pixels[3] = _mm512_unpackhi_epi64(high01, high23);
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) __m512i pin(__m512i v) {
    asm volatile("" : "+v"(v));
    return v;
  }
  static inline Weights pin_weights(Weights w) { return pin(w); }
  static inline Weights load_weights(const std::byte* w) { return _mm512_loadu_si512(w); }
  static inline __m512i multiply_add(__m512i acc, Quad x, Weights w) {
    return _mm512_dpbusd_epi32(acc, x, w);
  }
  /// Byte i of quad v of each four quads as byte v of quad i.
  static inline __m512i turn(__m512i v) {
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(_mm_setr_epi8(LINNET_TRANSPOSE_BYTES)));
  }
  /// Quads of byte `byte` of each quad, the others 0.
  static inline __m512i byte_of_quads(__m512i v, int byte) {
    return _mm512_and_si512(v, _mm512_set1_epi32(static_cast<int>(0xffu << (8 * byte))));
  }
  static inline __m512i add_up(__m512i acc, Quad x) { return multiply_add(acc, x, _mm512_set1_epi8(1)); }

 private:
  static inline __m128i sixteen(const std::int8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
};

#undef LINNET_TRANSPOSE_BYTES

}  // namespace
}  // namespace linnet::cpu::avx512_vnni
