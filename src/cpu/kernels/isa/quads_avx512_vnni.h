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
                                                       .float_channels = 16};

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
  static inline __m512i add_up(__m512i acc, Quad x) { return multiply_add(acc, x, _mm512_set1_epi8(1)); }
};

}  // namespace
}  // namespace linnet::cpu::avx512_vnni
