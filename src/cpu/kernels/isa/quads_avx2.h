// Quads by vpmaddwd, see weight_pair_s8(): AVX2.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "numerics/int8_avx2.h"

namespace linnet::cpu::avx2 {
namespace {

struct Quads {
  using Int8 = numerics::avx2::Int8;
  using Narrow = Quads;
  struct Quad {
    __m256i whole;  ///< 256 * x1 + x0 + 128
    __m256i upper;  ///< x1
  };
  using Weights = Quad;
  static constexpr DepthwiseLayoutS8 kLayout = {
      .form = QuadForm::kPairs, .lanes = 8, .narrow_lanes = 8, .offset_even = 128, .offset_odd = 0, .float_channels = 1 << 30, .float_lanes = 8};
  static constexpr int kWeightBytes = 64;  ///< a vector's
  static constexpr int kPixels = 1;        ///< columns of a tile

  static inline void interleave(const __m256i (&x)[4], __m256i (&quads)[4]) {
    const __m256i sign = _mm256_set1_epi8(-128);
    const __m256i a = _mm256_xor_si256(x[0], sign), c = _mm256_xor_si256(x[2], sign);
    const __m256i ab_low = _mm256_unpacklo_epi8(a, x[1]), ab_high = _mm256_unpackhi_epi8(a, x[1]);
    const __m256i cd_low = _mm256_unpacklo_epi8(c, x[3]), cd_high = _mm256_unpackhi_epi8(c, x[3]);
    quads[0] = _mm256_unpacklo_epi16(ab_low, cd_low);
    quads[1] = _mm256_unpackhi_epi16(ab_low, cd_low);
    quads[2] = _mm256_unpacklo_epi16(ab_high, cd_high);
    quads[3] = _mm256_unpackhi_epi16(ab_high, cd_high);
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) __m256i pin(__m256i v) {
    asm volatile("" : "+x"(v));
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

}  // namespace
}  // namespace linnet::cpu::avx2
