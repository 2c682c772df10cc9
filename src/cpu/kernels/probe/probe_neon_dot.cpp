#include <arm_neon.h>

#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu::neon_dot {
namespace {

constexpr int kChains = 12;

float run(std::int64_t iterations) {
  volatile signed char seed = 1;
  const int8x16_t a = vdupq_n_s8(seed);
  int32x4_t sum[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sum[i] = vdupq_n_s32(i);
  for (std::int64_t n = 0; n < iterations; ++n)
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = vdotq_s32(sum[i], a, a);
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) sum[0] = vaddq_s32(sum[0], sum[i]);
  return static_cast<float>(vgetq_lane_s32(sum[0], 0));
}

}  // namespace

MultiplyAddProbe probe_s8() { return {run, kChains * 16}; }

}  // namespace linnet::cpu::neon_dot
