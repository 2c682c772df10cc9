// int8.h on q registers: AArch64's Advanced SIMD. Each function equals its scalar namesake byte for byte
// (vectors_test.cpp). Internal linkage: a unit compiled for more instructions must not lend its copy to
// others.
#pragma once

#include <arm_neon.h>

#include "numerics/int8.h"

namespace linnet::numerics::neon {
namespace {

#define LINNET_INLINE static inline __attribute__((always_inline))

struct Int8 {
  static constexpr int kLanes = 4;  ///< int32 values in an I32; an S8 holds four times as many bytes
  using I32 = int32x4_t;
  using F32 = float32x4_t;
  using S8 = int8x16_t;

  LINNET_INLINE I32 load(const int32_t* p) { return vld1q_s32(p); }
  LINNET_INLINE F32 load(const float* p) { return vld1q_f32(p); }
  LINNET_INLINE S8 load(const int8_t* p) { return vld1q_s8(p); }
  LINNET_INLINE void store(int32_t* p, I32 v) { vst1q_s32(p, v); }
  LINNET_INLINE void store(int8_t* p, S8 v) { vst1q_s8(p, v); }
  /// The first n bytes, 0 <= n <= 16, the rest zero; memory behind them is not touched.
  LINNET_INLINE S8 load_partial(const int8_t* p, int n) {
    if (n >= 16) return load(p);
    int8_t bytes[16] = {};
    __builtin_memcpy(bytes, p, static_cast<unsigned>(n));
    return load(bytes);
  }
  LINNET_INLINE void store_partial(int8_t* p, S8 v, int n) {
    if (n >= 16) return store(p, v);
    int8_t bytes[16];
    store(bytes, v);
    __builtin_memcpy(p, bytes, static_cast<unsigned>(n));
  }
  /// The first kVectors * kLanes bytes.
  template <int kVectors>
  LINNET_INLINE void store_first(int8_t* p, S8 v) {
    if constexpr (kVectors == 4) return store(p, v);
    if constexpr (kVectors == 1)
      return vst1q_lane_s32(reinterpret_cast<int32_t*>(p), vreinterpretq_s32_s8(v), 0);
    vst1_s8(p, vget_low_s8(v));
    if constexpr (kVectors == 3)
      vst1q_lane_s32(reinterpret_cast<int32_t*>(p + 8), vreinterpretq_s32_s8(v), 2);
  }

  /// A linnet_output in registers.
  struct Output {
    F32 offset;  ///< 1.5 * 2^23 + zero_point
    I32 zero;
    S8 lo, hi;
    explicit Output(linnet_output to)
        : offset(vdupq_n_f32(0x1.8p23f + static_cast<float>(to.zero_point))),
          zero(vdupq_n_s32(to.zero_point)),
          lo(vdupq_n_s8(static_cast<int8_t>(to.lo))),
          hi(vdupq_n_s8(static_cast<int8_t>(to.hi))) {}
  };

  /// zero_point + linnet_scale(acc, by) where linnet_is_exact_in_float(); scale is m * 2^-t. Where the zero
  /// point takes the sum out of [2^23, 2^24), the value is far beyond int8 and stays there: pack() limits it.
  LINNET_INLINE I32 scale(I32 acc, F32 scale, const Output& to) {
    const F32 sum = vfmaq_f32(to.offset, vcvtq_f32_s32(acc), scale);
    return vsubq_s32(vreinterpretq_s32_f32(sum), vdupq_n_s32(0x4b400000));
  }
  /// zero_point + linnet_scale(acc, by) for any acc and by, limited to 32 bits.
  LINNET_INLINE I32 scale(I32 acc, I32 m, I32 t, const Output& to) {
    // srshl by a negative count is the rounding shift of int8.h.
    const int64x2_t low =
        vrshlq_s64(vmull_s32(vget_low_s32(acc), vget_low_s32(m)), vnegq_s64(vmovl_s32(vget_low_s32(t))));
    const int64x2_t high = vrshlq_s64(vmull_high_s32(acc, m), vnegq_s64(vmovl_high_s32(t)));
    return vqaddq_s32(vcombine_s32(vqmovn_s64(low), vqmovn_s64(high)), to.zero);
  }

  /// Four vectors limited to int8, one after the other.
  LINNET_INLINE S8 pack(I32 a, I32 b, I32 c, I32 d) {
    const int16x8_t low = vqmovn_high_s32(vqmovn_s32(a), b);
    const int16x8_t high = vqmovn_high_s32(vqmovn_s32(c), d);
    return vqmovn_high_s16(vqmovn_s16(low), high);
  }
  /// The forms of other ISAs, whose pack() interleaves; part<kVectors, n>() is the nth share of kVectors
  /// vectors.
  template <int kVectors>
  LINNET_INLINE S8 compact(S8 packed) {
    return packed;
  }
  template <int kVectors, int n>
  LINNET_INLINE S8 part(S8 packed) {
    return vextq_s8(packed, packed, 4 * kVectors * n % 16);
  }
  LINNET_INLINE S8 in_order(S8 packed) { return packed; }
  LINNET_INLINE S8 clamp(S8 v, const Output& to) { return vminq_s8(vmaxq_s8(v, to.lo), to.hi); }

  LINNET_INLINE I32 set(int32_t v) { return vdupq_n_s32(v); }
  LINNET_INLINE F32 set(float v) { return vdupq_n_f32(v); }
  LINNET_INLINE S8 set(int8_t v) { return vdupq_n_s8(v); }
  LINNET_INLINE I32 add(I32 a, I32 b) { return vaddq_s32(a, b); }
  LINNET_INLINE I32 sub(I32 a, I32 b) { return vsubq_s32(a, b); }
  /// Of values that fit int16.
  LINNET_INLINE I32 product(I32 a, I32 b) { return vmulq_s32(a, b); }
  /// Four vectors that pack() makes v of.
  LINNET_INLINE void widen(S8 v, I32 (&to)[4]) {
    const int16x8_t low = vmovl_s8(vget_low_s8(v)), high = vmovl_high_s8(v);
    to[0] = vmovl_s16(vget_low_s16(low));
    to[1] = vmovl_high_s16(low);
    to[2] = vmovl_s16(vget_low_s16(high));
    to[3] = vmovl_high_s16(high);
  }
  /// quantize_real() before its zero point: v * factor, limited, to the nearest integer.
  LINNET_INLINE I32 nearest(F32 v, F32 factor) {
    return vcvtnq_s32_f32(
        vmaxq_f32(vminq_f32(vmulq_f32(v, factor), vdupq_n_f32(511.0f)), vdupq_n_f32(-512.0f)));
  }

  /// What linnet_add() takes beside its operands.
  struct Sum {
    int16_t m_a, m_b;
    I32 offset;  ///< 2^(t-1) - zero_a * m_a - zero_b * m_b
    I32 minus_t;
    int16x8_t zero16;
    Output to;
    Sum(int32_t zero_a, int32_t zero_b, linnet_add_multiplier by, linnet_output out)
        : m_a(static_cast<int16_t>(by.m_a)),
          m_b(static_cast<int16_t>(by.m_b)),
          offset(vdupq_n_s32((1 << (by.t - 1)) - zero_a * by.m_a - zero_b * by.m_b)),
          minus_t(vdupq_n_s32(-by.t)),
          zero16(vdupq_n_s16(static_cast<int16_t>(out.zero_point))),
          to(out) {}
  };
  LINNET_INLINE S8 add(S8 a, S8 b, const Sum& by) {
    const int16x8_t low = add_eight(vmovl_s8(vget_low_s8(a)), vmovl_s8(vget_low_s8(b)), by);
    const int16x8_t high = add_eight(vmovl_high_s8(a), vmovl_high_s8(b), by);
    return clamp(vqmovn_high_s16(vqmovn_s16(low), high), by.to);
  }

  /// linnet_lookup() of every byte; `table` has 256.
  LINNET_INLINE S8 lookup(const int8_t* table, S8 x) {
    uint8x16_t index = vreinterpretq_u8_s8(veorq_s8(x, vdupq_n_s8(-128)));
    S8 y = vqtbl4q_s8(quarter(table), index);
#pragma GCC unroll 3
    for (int i = 1; i < 4; ++i) {
      index = vsubq_u8(index, vdupq_n_u8(64));
      y = vqtbx4q_s8(y, quarter(table + 64 * i), index);
    }
    return y;
  }

 private:
  LINNET_INLINE int16x8_t add_eight(int16x8_t a, int16x8_t b, const Sum& by) {
    const I32 low = vmlal_n_s16(vmlal_n_s16(by.offset, vget_low_s16(a), by.m_a), vget_low_s16(b), by.m_b);
    const I32 high = vmlal_high_n_s16(vmlal_high_n_s16(by.offset, a, by.m_a), b, by.m_b);
    return vqaddq_s16(vqmovn_high_s32(vqmovn_s32(vshlq_s32(low, by.minus_t)), vshlq_s32(high, by.minus_t)),
                      by.zero16);
  }
  LINNET_INLINE int8x16x4_t quarter(const int8_t* table) {
    return {{vld1q_s8(table), vld1q_s8(table + 16), vld1q_s8(table + 32), vld1q_s8(table + 48)}};
  }
};

#undef LINNET_INLINE

}  // namespace
}  // namespace linnet::numerics::neon
