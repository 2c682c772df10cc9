// Eight float32 values in a ymm register where there is AVX-512 VL: the last channels of a layer, at half the
// cost of a whole vector.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/isa/half_avx512.h"

namespace linnet::cpu::avx512 {
namespace {

struct NarrowF32 {
  static constexpr int kWidth = 8;
  __m256 v;

  static NarrowF32 zero() { return {_mm256_setzero_ps()}; }
  static NarrowF32 set(float x) { return {_mm256_set1_ps(x)}; }
  static NarrowF32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static NarrowF32 load(const Bf16* p) { return load_partial(p, kWidth); }
  /// The first n values, 1 <= n <= 8, the rest zero; memory behind them is not touched.
  static NarrowF32 load_partial(const Bf16* p, int n) {
    const __m256i bits = _mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(mask(n), p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(bits, 16))};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(Bf16* p) const { store_partial(p, kWidth); }
  void store_partial(float* p, int n) const { _mm256_mask_storeu_ps(p, mask(n), v); }
  void store_partial(Bf16* p, int n) const {
    _mm_mask_storeu_epi16(p, mask(n), _mm256_castsi256_si128(narrow(Bf16{}, _mm512_castps256_ps512(v))));
  }
  /// As it is when it was stored and loaded.
  NarrowF32 rounded(Bf16 half) const {
    return {_mm512_castps512_ps256(widen(half, narrow(half, _mm512_castps256_ps512(v))))};
  }
  friend NarrowF32 operator+(NarrowF32 a, NarrowF32 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend NarrowF32 operator*(NarrowF32 a, NarrowF32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  /// The second operand where either is not a number.
  friend NarrowF32 max(NarrowF32 a, NarrowF32 b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend NarrowF32 min(NarrowF32 a, NarrowF32 b) { return {_mm256_min_ps(a.v, b.v)}; }

 private:
  static __mmask8 mask(int n) { return static_cast<__mmask8>((1u << n) - 1u); }
};

}  // namespace
}  // namespace linnet::cpu::avx512
