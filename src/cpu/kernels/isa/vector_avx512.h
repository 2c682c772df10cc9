// Sixteen float32 values in a zmm register: AVX-512 F, BW, DQ and VL.
#pragma once

#include <cstdint>

#include <immintrin.h>

#include "cpu/kernels/isa/half_avx512.h"

namespace linnet::cpu::avx512 {
namespace {

struct F32 {
  static constexpr int kWidth = 16;
  static constexpr int kRegisters = 32;
  static constexpr bool kHalves = true;  ///< half a vector costs half as much
  __m512 v;

  static F32 zero() { return {_mm512_setzero_ps()}; }
  static F32 set(float x) { return {_mm512_set1_ps(x)}; }
  static F32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static F32 load(const std::int8_t* p) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
  }
  static F32 load(const Bf16* p) { return load_half(p); }
  static F32 load(const Fp16* p) { return load_half(p); }
  /// The first n values, 1 <= n <= 16, the rest zero; memory behind them is not touched.
  static F32 load_partial(const float* p, int n) { return {_mm512_maskz_loadu_ps(mask(n), p)}; }
  template <class Half>
  static F32 load_partial(const Half* p, int n) {
    return {widen(Half{}, _mm256_maskz_loadu_epi16(mask(n), p))};
  }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_partial(float* p, int n) const { _mm512_mask_storeu_ps(p, mask(n), v); }
  template <class Half>
  void store(Half* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow(Half{}, v));
  }
  template <class Half>
  void store_partial(Half* p, int n) const {
    _mm256_mask_storeu_epi16(p, mask(n), narrow(Half{}, v));
  }
  /// As it is when it was stored and loaded.
  template <class Half>
  F32 rounded(Half half) const {
    return {widen(half, narrow(half, v))};
  }
  friend F32 operator+(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
  /// a * b + c, rounded once.
  friend F32 fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  /// The second operand where either is not a number.
  friend F32 max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
  friend F32 min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
  /// x where low < at < high, else 0.
  friend F32 keep_between(F32 x, F32 at, F32 low, F32 high) {
    const __mmask16 inside = _mm512_cmp_ps_mask(low.v, at.v, _CMP_LT_OQ);
    return {_mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(inside, at.v, high.v, _CMP_LT_OQ), x.v)};
  }
  /// Of the low half alone; the other half is anything.
  friend F32 fma_low(F32 a, F32 b, F32 c) {
    return {_mm512_castps256_ps512(_mm256_fmadd_ps(low(a), low(b), low(c)))};
  }
  static F32 set_low(float x) { return {_mm512_castps256_ps512(_mm256_set1_ps(x))}; }
  void store_low(float* p) const { _mm256_storeu_ps(p, low(*this)); }

 private:
  static __m256 low(F32 a) { return _mm512_castps512_ps256(a.v); }
  template <class Half>
  static F32 load_half(const Half* p) {
    return {widen(Half{}, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static __mmask16 mask(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
};

}  // namespace
}  // namespace linnet::cpu::avx512
