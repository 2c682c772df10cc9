// Four int8 products a lane in one instruction: AArch64 with sdot, by lane.
#pragma once

#include <arm_neon.h>

#include "cpu/kernels/convolution/convolution_s8.h"
#include "cpu/kernels/isa/dot_neon.h"
#include "numerics/int8_neon.h"

namespace linnet::cpu::neon_dot {
namespace {

struct Dot {
  using Int8 = numerics::neon::Int8;
  using Weights = int8x16_t;
  using X = int8x16_t;
  static constexpr ConvolutionLayoutS8 kLayout = {
      .lanes = 4, .vectors = 4, .group = 4, .halves = false, .narrows = false, .bytes = 1, .offset = 0};
  static constexpr int kSteps = 4;             ///< groups in an X
  static constexpr bool kWideDiffers = false;  ///< weights of -128 need a form of their own
  static constexpr int max_rows(int vectors) { return vectors == 4 ? 5 : vectors == 3 ? 6 : 8; }

  static inline Weights load_weights(const std::byte* w) {
    return vld1q_s8(reinterpret_cast<const std::int8_t*>(w));
  }
  static inline X load_x(const std::byte* x) { return vld1q_s8(reinterpret_cast<const std::int8_t*>(x)); }
  /// One group; nothing behind it is read.
  static inline X load_last_x(const std::byte* x) {
    std::int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
  template <int kStep, bool>
  static inline Int8::I32 multiply_add(Int8::I32 acc, X x, Weights w) {
    return vdotq_laneq_s32(acc, w, x, kStep);
  }
  static inline Int8::I32 set(std::int32_t v) { return vdupq_n_s32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return vsubq_s32(a, b); }
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    vst1q_s8(reinterpret_cast<std::int8_t*>(y), vld1q_s8(x));
  }
  static inline void gather(const std::int8_t* x, int n, std::byte* y) { neon::gather_bytes(x, n, y); }
};

}  // namespace
}  // namespace linnet::cpu::neon_dot
