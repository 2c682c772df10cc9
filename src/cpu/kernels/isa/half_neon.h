// Four halves of float32 to a q register and back.
#pragma once

#include <arm_neon.h>

#include "cpu/kernels/half.h"

namespace linnet::cpu::neon {
namespace {

inline float32x4_t widen(Bf16, uint16x4_t h) { return vreinterpretq_f32_u32(vshll_n_u16(h, 16)); }
inline float32x4_t widen(Fp16, uint16x4_t h) { return vcvt_f32_f16(vreinterpret_f16_u16(h)); }

inline uint16x4_t narrow(Bf16, float32x4_t v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16);
}
inline uint16x4_t narrow(Fp16, float32x4_t v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }

}  // namespace
}  // namespace linnet::cpu::neon
