// Four float32 values in a q register: AArch64's Advanced SIMD, which every such CPU has.
#pragma once

#include <arm_neon.h>

#include "cpu/kernels/isa/half_neon.h"

namespace linnet::cpu::neon {

struct F32 {
  static constexpr int kWidth = 4;
  static constexpr int kRegisters = 32;
  static constexpr bool kHalves = false;
  float32x4_t v;

  static F32 zero() { return {vdupq_n_f32(0.0f)}; }
  static F32 set(float x) { return {vdupq_n_f32(x)}; }
  static F32 load(const float* p) { return {vld1q_f32(p)}; }
  template <class Half>
  static F32 load(const Half* p) {
    return {widen(Half{}, vld1_u16(&p->bits))};
  }
  /// The first n values, 1 <= n <= 4, the rest zero; memory behind them is not touched.
  template <class T>
  static F32 load_partial(const T* p, int n) {
    T lanes[kWidth] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store(float* p) const { vst1q_f32(p, v); }
  template <class Half>
  void store(Half* p) const {
    vst1_u16(&p->bits, narrow(Half{}, v));
  }
  template <class T>
  void store_partial(T* p, int n) const {
    T lanes[kWidth];
    store(lanes);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  /// As it is when it was stored and loaded.
  template <class Half>
  F32 rounded(Half half) const {
    return {widen(half, narrow(half, v))};
  }
  friend F32 operator+(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
  friend F32 operator*(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
  /// a * b + c, rounded once.
  friend F32 fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
  /// Not a number where either is.
  friend F32 max(F32 a, F32 b) { return {vmaxq_f32(a.v, b.v)}; }
  friend F32 min(F32 a, F32 b) { return {vminq_f32(a.v, b.v)}; }
  /// x where low < at < high, else 0.
  friend F32 keep_between(F32 x, F32 at, F32 low, F32 high) {
    const uint32x4_t inside = vandq_u32(vcltq_f32(low.v, at.v), vcltq_f32(at.v, high.v));
    return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x.v), inside))};
  }
};

}  // namespace linnet::cpu::neon
