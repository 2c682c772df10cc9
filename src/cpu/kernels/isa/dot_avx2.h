// Two int16 products a lane: AVX2.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/convolution/convolution_s8.h"
#include "numerics/int8_avx2.h"

namespace linnet::cpu::avx2 {
namespace {

struct Dot {
  using Int8 = numerics::avx2::Int8;
  using Weights = __m256i;
  using X = __m256i;
  static constexpr ConvolutionLayoutS8 kLayout = {
      .lanes = 8, .vectors = 4, .group = 2, .halves = false, .narrows = false, .bytes = 2, .offset = 0};
  static constexpr int kSteps = 1;             ///< groups in an X
  static constexpr bool kWideDiffers = false;  ///< weights of -128 need a form of their own
  static constexpr int max_rows(int vectors) {
    return vectors == 4 ? 2 : vectors == 3 ? 3 : vectors == 2 ? 5 : 8;
  }

  static inline Weights load_weights(const std::byte* w) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  }
  static inline X load_x(const std::byte* x) {
    int two;
    __builtin_memcpy(&two, x, sizeof two);
    return _mm256_set1_epi32(two);
  }
  template <int, bool>
  static inline Int8::I32 multiply_add(Int8::I32 acc, X x, Weights w) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
  }
  static inline Int8::I32 set(std::int32_t v) { return _mm256_set1_epi32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return _mm256_sub_epi32(a, b); }

  /// n values of x to y, in the form that load_x() reads. May write 64 bytes behind.
  static inline void gather(const std::int8_t* x, int n, std::byte* y) {
    int i = 0;
    for (; i + 16 <= n; i += 16)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + 2 * i),
                          _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
    if (i + 8 <= n) {
      eight(x + i, y + 2 * i);
      i += 8;
    }
    if (i == n) return;
    if (n >= 8) return eight(x + n - 8, y + 2 * (n - 8));  // over some that are there already
    for (; i < n; ++i) {
      const std::int16_t twice = x[i];
      __builtin_memcpy(y + 2 * i, &twice, sizeof twice);
    }
  }
  /// Sixteen values likewise.
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), _mm256_cvtepi8_epi16(v));
  }

 private:
  static inline void eight(const std::int8_t* x, std::byte* y) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y),
                     _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx2
