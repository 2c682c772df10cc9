// Two int16 products a lane: AVX-512 without VNNI.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/convolution/convolution_s8.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512 {
namespace {

struct Dot {
  using Int8 = numerics::avx512::Int8;
  using Weights = __m512i;
  using X = __m512i;
  static constexpr ConvolutionLayoutS8 kLayout = {
      .lanes = 16, .vectors = 4, .group = 2, .halves = false, .narrows = false, .bytes = 2, .offset = 0};
  static constexpr int kSteps = 1;             ///< groups in an X
  static constexpr bool kWideDiffers = false;  ///< weights of -128 need a form of their own
  static constexpr int max_rows(int vectors) {
    return vectors == 4 ? 6 : vectors == 3 ? 8 : vectors == 2 ? 12 : 14;
  }

  static inline Weights load_weights(const std::byte* w) { return _mm512_loadu_si512(w); }
  static inline X load_x(const std::byte* x) {
    int two;
    __builtin_memcpy(&two, x, sizeof two);
    return _mm512_set1_epi32(two);
  }
  template <int, bool>
  static inline Int8::I32 multiply_add(Int8::I32 acc, X x, Weights w) {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w));
  }
  static inline Int8::I32 set(std::int32_t v) { return _mm512_set1_epi32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return _mm512_sub_epi32(a, b); }

  /// n values of x to y, in the form that load_x() reads. May write 64 bytes behind.
  static inline void gather(const std::int8_t* x, int n, std::byte* y) {
    int i = 0;
    for (; i + 32 <= n; i += 32)
      _mm512_storeu_si512(y + 2 * i,
                          _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))));
    if (i < n) {
      const __mmask32 mask = (__mmask32{1} << (n - i)) - 1;
      _mm512_storeu_si512(y + 2 * i, _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, x + i)));
    }
  }
  /// Sixteen values likewise.
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), _mm256_cvtepi8_epi16(v));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512
