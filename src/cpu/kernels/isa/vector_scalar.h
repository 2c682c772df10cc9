// A vector of one value: plain C++, for machines without any vector unit that Linnet knows, and as the
// plainest form of every kernel body.
#pragma once

#include "base/float_formats.h"
#include "cpu/kernels/half.h"

namespace linnet::cpu::scalar {

struct F32 {
  static constexpr int kWidth = 1;
  static constexpr int kRegisters = 16;
  static constexpr bool kHalves = false;
  float v;

  static F32 zero() { return {0.0f}; }
  static F32 set(float x) { return {x}; }
  static F32 load(const float* p) { return {*p}; }
  static F32 load(const Bf16* p) { return {float_from_bfloat16(p->bits)}; }
  static F32 load(const Fp16* p) { return {float_from_float16(p->bits)}; }
  template <class T>
  static F32 load_partial(const T* p, int) {
    return load(p);
  }
  void store(float* p) const { *p = v; }
  void store(Bf16* p) const { p->bits = bfloat16_from_float(v); }
  void store(Fp16* p) const { p->bits = float16_from_float(v); }
  template <class T>
  void store_partial(T* p, int) const {
    store(p);
  }
  /// As it is when it was stored and loaded.
  template <class Half>
  F32 rounded(Half half) const {
    store(&half);
    return load(&half);
  }
  friend F32 operator+(F32 a, F32 b) { return {a.v + b.v}; }
  friend F32 operator*(F32 a, F32 b) { return {a.v * b.v}; }
  /// a * b + c, rounded twice.
  friend F32 fma(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
  /// The second operand where either is not a number.
  friend F32 max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
  friend F32 min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
  /// x where low < at < high, else 0.
  friend F32 keep_between(F32 x, F32 at, F32 low, F32 high) {
    return {low.v < at.v && at.v < high.v ? x.v : 0.0f};
  }
};

}  // namespace linnet::cpu::scalar
