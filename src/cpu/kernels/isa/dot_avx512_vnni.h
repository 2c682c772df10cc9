// Four int8 products a lane in one instruction: AVX-512 VNNI. x is the unsigned side: gathering adds 128.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/convolution/convolution_s8.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512_vnni {
namespace {

struct Dot {
  using Int8 = numerics::avx512::Int8;
  using Weights = __m512i;
  using X = __m512i;
  static constexpr ConvolutionLayoutS8 kLayout = {.lanes = 16,
                                                  .vectors = 4,
                                                  .group = 4,
                                                  .halves = false,
                                                  .narrows = true,
                                                  .bytes = 1,
                                                  .offset = 128,
                                                  .reads_unsigned = true};
  static constexpr int kSteps = 1;             ///< groups in an X
  static constexpr bool kWideDiffers = false;  ///< weights of -128 need a form of their own
  static constexpr int max_rows(int vectors) {
    return vectors == 4 ? 6 : vectors == 3 ? 8 : vectors == 2 ? 12 : 14;
  }

  static inline Weights load_weights(const std::byte* w) { return _mm512_loadu_si512(w); }
  static inline X load_x(const std::byte* x) {
    int four;
    __builtin_memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
  }
  template <int, bool>
  static inline Int8::I32 multiply_add(Int8::I32 acc, X x, Weights w) {
    return _mm512_dpbusd_epi32(acc, x, w);
  }
  /// The same on the lower half of the lanes, for half the price where a zmm takes two passes (Zen 4).
  static inline Weights load_weights_narrow(const std::byte* w) {
    return _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  static inline Int8::I32 multiply_add_narrow(Int8::I32 acc, X x, Weights w) {
    return _mm512_castsi256_si512(_mm256_dpbusd_epi32(_mm512_castsi512_si256(acc), _mm512_castsi512_si256(x),
                                                      _mm512_castsi512_si256(w)));
  }
  static inline Int8::I32 set(std::int32_t v) { return _mm512_set1_epi32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return _mm512_sub_epi32(a, b); }

  /// n values of x to y, in the form that load_x() reads. May write 64 bytes behind.
  static inline void gather(const std::int8_t* x, int n, std::byte* y) {
    const __m512i sign = _mm512_set1_epi8(-128);
    int i = 0;
    for (; i + 64 <= n; i += 64)
      _mm512_storeu_si512(y + i, _mm512_xor_si512(_mm512_loadu_si512(x + i), sign));
    if (i < n) _mm512_storeu_si512(y + i, _mm512_xor_si512(Int8::load_partial(x + i, n - i), sign));
  }
  /// Sixteen values likewise.
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y), _mm_xor_si128(v, _mm_set1_epi8(-128)));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512_vnni
