// Eight float32 values in a ymm register: AVX2 with FMA.
#pragma once

#include <cstdint>

#include <immintrin.h>

#include "cpu/kernels/isa/half_avx2.h"

namespace linnet::cpu::avx2 {
namespace {

struct F32 {
  static constexpr int kWidth = 8;
  static constexpr int kRegisters = 16;
  static constexpr bool kHalves = false;
  __m256 v;

  static F32 zero() { return {_mm256_setzero_ps()}; }
  static F32 set(float x) { return {_mm256_set1_ps(x)}; }
  static F32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static F32 load(const std::int8_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
  }
  static F32 load(const Bf16* p) { return load_half(p); }
  static F32 load(const Fp16* p) { return load_half(p); }
  /// The first n values, 1 <= n <= 8, the rest zero; memory behind them is not touched.
  static F32 load_partial(const float* p, int n) { return {_mm256_maskload_ps(p, mask(n))}; }
  template <class Half>
  static F32 load_partial(const Half* p, int n) {
    Half lanes[kWidth] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_partial(float* p, int n) const { _mm256_maskstore_ps(p, mask(n), v); }
  template <class Half>
  void store(Half* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow(Half{}, v));
  }
  template <class Half>
  void store_partial(Half* p, int n) const {
    Half lanes[kWidth];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  /// As it is when it was stored and loaded.
  template <class Half>
  F32 rounded(Half half) const {
    return {widen(half, narrow(half, v))};
  }
  friend F32 operator+(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
  /// a * b + c, rounded once.
  friend F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  /// The second operand where either is not a number.
  friend F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
  friend F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
  /// x where low < at < high, else 0.
  friend F32 keep_between(F32 x, F32 at, F32 low, F32 high) {
    const __m256 above = _mm256_cmp_ps(low.v, at.v, _CMP_LT_OQ);
    return {_mm256_and_ps(x.v, _mm256_and_ps(above, _mm256_cmp_ps(at.v, high.v, _CMP_LT_OQ)))};
  }

 private:
  template <class Half>
  static F32 load_half(const Half* p) {
    return {widen(Half{}, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static __m256i mask(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx2
