// Quads by vpmaddwd, see weight_pair_s8(): AVX-512 without VNNI, in zmm registers and, for the channels left
// over, in ymm registers.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "cpu/kernels/isa/narrow_avx512.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512 {
namespace {

inline constexpr DepthwiseLayoutS8 kDepthwiseLayout = {
    .form = QuadForm::kPairs, .lanes = 16, .narrow_lanes = 8, .offset_even = 128, .offset_odd = 0, .float_channels = 1 << 30, .float_lanes = 16};

struct NarrowQuads {
  using Int8 = NarrowInt8;
  struct Quad {
    __m256i whole;  ///< 256 * x1 + x0 + 128
    __m256i upper;  ///< x1
  };
  using Weights = Quad;
  static constexpr DepthwiseLayoutS8 kLayout = kDepthwiseLayout;
  static constexpr int kWeightBytes = 64;  ///< a vector's
  static constexpr int kPixels = 2;        ///< columns of a tile

  static inline void interleave(const __m256i (&x)[4], __m256i (&quads)[4]) {
    const __m256i sign = _mm256_set1_epi8(-128);
    avx512::interleave(_mm256_xor_si256(x[0], sign), x[1], _mm256_xor_si256(x[2], sign), x[3], quads);
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) __m256i pin(__m256i v) {
    asm volatile("" : "+v"(v));
    return v;
  }
  static inline Weights pin_weights(Weights w) { return {pin(w.whole), pin(w.upper)}; }
  static inline Quad quad(__m256i v) { return {v, _mm256_srai_epi16(v, 8)}; }
  static inline Weights ones() { return {_mm256_set1_epi16(1), _mm256_set1_epi16(1 - 256)}; }
  static inline Weights load_weights(const std::byte* w) {
    const auto* const p = reinterpret_cast<const __m256i*>(w);
    return {_mm256_loadu_si256(p), _mm256_loadu_si256(p + 1)};
  }
  static inline __m256i multiply_add(__m256i acc, const Quad& x, const Weights& w) {
    return _mm256_add_epi32(
        acc, _mm256_add_epi32(_mm256_madd_epi16(x.whole, w.whole), _mm256_madd_epi16(x.upper, w.upper)));
  }
};

struct Quads {
  using Int8 = numerics::avx512::Int8;
  using Narrow = NarrowQuads;
  struct Quad {
    __m512i whole;
    __m512i upper;
  };
  using Weights = Quad;
  static constexpr DepthwiseLayoutS8 kLayout = kDepthwiseLayout;
  static constexpr int kWeightBytes = 128;
  static constexpr int kPixels = 2;

  static inline void interleave(const __m512i (&x)[4], __m512i (&quads)[4]) {
    const __m512i sign = _mm512_set1_epi8(-128);
    avx512::interleave(_mm512_xor_si512(x[0], sign), x[1], _mm512_xor_si512(x[2], sign), x[3], quads);
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) __m512i pin(__m512i v) {
    asm volatile("" : "+v"(v));
    return v;
  }
  static inline Weights pin_weights(Weights w) { return {pin(w.whole), pin(w.upper)}; }
  static inline Quad quad(__m512i v) { return {v, _mm512_srai_epi16(v, 8)}; }
  static inline Weights ones() { return {_mm512_set1_epi16(1), _mm512_set1_epi16(1 - 256)}; }
  static inline Weights load_weights(const std::byte* w) {
    return {_mm512_loadu_si512(w), _mm512_loadu_si512(w + 64)};
  }
  static inline __m512i multiply_add(__m512i acc, const Quad& x, const Weights& w) {
    return _mm512_add_epi32(
        acc, _mm512_add_epi32(_mm512_madd_epi16(x.whole, w.whole), _mm512_madd_epi16(x.upper, w.upper)));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512
