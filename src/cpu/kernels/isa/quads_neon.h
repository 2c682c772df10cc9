// Quads by smull and smlal: AArch64 without sdot.
#pragma once

#include <arm_neon.h>

#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "numerics/int8_neon.h"

namespace linnet::cpu::neon {
namespace {

struct Quads {
  using Int8 = numerics::neon::Int8;
  using Narrow = Quads;
  using Quad = int8x16_t;
  using Weights = int8x16_t;
  static constexpr DepthwiseLayoutS8 kLayout = {
      .form = QuadForm::kHalves, .lanes = 4, .narrow_lanes = 4, .offset_even = 0, .offset_odd = 0};
  static constexpr int kWeightBytes = 16;  ///< a vector's
  static constexpr int kPixels = 2;        ///< columns of a tile

  /// In each the pairs of rows 0 and 1 of four channels, then those of rows 2 and 3.
  static inline void interleave(const int8x16_t (&x)[4], int8x16_t (&quads)[4]) {
    const int64x2_t ab_low = vreinterpretq_s64_s8(vzip1q_s8(x[0], x[1]));
    const int64x2_t ab_high = vreinterpretq_s64_s8(vzip2q_s8(x[0], x[1]));
    const int64x2_t cd_low = vreinterpretq_s64_s8(vzip1q_s8(x[2], x[3]));
    const int64x2_t cd_high = vreinterpretq_s64_s8(vzip2q_s8(x[2], x[3]));
    quads[0] = vreinterpretq_s8_s64(vzip1q_s64(ab_low, cd_low));
    quads[1] = vreinterpretq_s8_s64(vzip2q_s64(ab_low, cd_low));
    quads[2] = vreinterpretq_s8_s64(vzip1q_s64(ab_high, cd_high));
    quads[3] = vreinterpretq_s8_s64(vzip2q_s64(ab_high, cd_high));
  }
  /// v is computed here and not later.
  static inline __attribute__((always_inline)) int32x4_t pin(int32x4_t v) {
    asm volatile("" : "+w"(v));
    return v;
  }
  static inline Weights pin_weights(Weights w) {
    asm volatile("" : "+w"(w));
    return w;
  }
  static inline Weights load_weights(const std::byte* w) {
    return vld1q_s8(reinterpret_cast<const std::int8_t*>(w));
  }
  /// Two products of a byte and a byte above -128 fit 16 bits.
  static inline int32x4_t multiply_add(int32x4_t acc, Quad x, Weights w) {
    return vpadalq_s16(acc, vmlal_high_s8(vmull_s8(vget_low_s8(x), vget_low_s8(w)), x, w));
  }
  static inline int32x4_t add_up(int32x4_t acc, Quad x) { return multiply_add(acc, x, vdupq_n_s8(1)); }
};

}  // namespace
}  // namespace linnet::cpu::neon
