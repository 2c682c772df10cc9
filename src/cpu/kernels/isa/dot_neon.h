// Four int8 products a lane in three instructions: AArch64 without sdot.
#pragma once

#include <arm_neon.h>

#include "cpu/kernels/convolution/convolution_s8.h"
#include "numerics/int8_neon.h"

namespace linnet::cpu::neon {
namespace {

/// n bytes; none behind them is touched.
inline void gather_bytes(const std::int8_t* x, int n, std::byte* y) {
  auto* to = reinterpret_cast<std::int8_t*>(y);
  int i = 0;
  for (; i + 16 <= n; i += 16) vst1q_s8(to + i, vld1q_s8(x + i));
  if (i + 8 <= n) {
    vst1_s8(to + i, vld1_s8(x + i));
    i += 8;
  }
  if (i == n) return;
  if (n >= 8) return vst1_s8(to + n - 8, vld1_s8(x + n - 8));  // over some that are there already
  for (; i < n; ++i) to[i] = x[i];
}

struct Dot {
  using Int8 = numerics::neon::Int8;
  using Weights = int8x16_t;
  using X = int8x16_t;
  static constexpr ConvolutionLayoutS8 kLayout = {
      .lanes = 4, .vectors = 4, .group = 4, .halves = true, .narrows = false, .bytes = 1, .offset = 0};
  static constexpr int kSteps = 1;            ///< groups in an X
  static constexpr bool kWideDiffers = true;  ///< weights of -128 need a form of their own
  static constexpr int max_rows(int vectors) { return vectors == 4 ? 4 : vectors == 3 ? 5 : 8; }

  static inline Weights load_weights(const std::byte* w) {
    return vld1q_s8(reinterpret_cast<const std::int8_t*>(w));
  }
  /// x0 x1 four times, x2 x3 four times.
  static inline X load_x(const std::byte* x) {
    alignas(16) static constexpr std::uint8_t kPairs[16] = {0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3};
    std::int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    const int32x4_t loaded = {four, 0, 0, 0};
    return vqtbl1q_s8(vreinterpretq_s8_s32(loaded), vld1q_u8(kPairs));
  }
  /// Two products of a byte and a byte above -128 fit 16 bits; kWide: one product a time.
  template <int, bool kWide>
  static inline Int8::I32 multiply_add(Int8::I32 acc, X x, Weights w) {
    const int16x8_t first = vmull_s8(vget_low_s8(x), vget_low_s8(w));
    if constexpr (kWide) return vpadalq_s16(vpadalq_s16(acc, first), vmull_high_s8(x, w));
    return vpadalq_s16(acc, vmlal_high_s8(first, x, w));
  }
  static inline Int8::I32 set(std::int32_t v) { return vdupq_n_s32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return vsubq_s32(a, b); }
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    vst1q_s8(reinterpret_cast<std::int8_t*>(y), vld1q_s8(x));
  }
  static inline void gather(const std::int8_t* x, int n, std::byte* y) { gather_bytes(x, n, y); }
};

}  // namespace
}  // namespace linnet::cpu::neon
