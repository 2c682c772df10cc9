// Activations on vectors, in registers. Included by the translation unit of each ISA; everything here has
// internal linkage, so that no ISA's code can stand in for another's.
#pragma once

#include "cpu/kernels/activation.h"

namespace linnet::cpu {
namespace {

constexpr float kInfinity = __builtin_inff();

/// relu6(x + 3) / 6, with not-a-number kept.
template <class V>
inline __attribute__((always_inline)) V hard_sigmoid(V x) {
  return min(V::set(6.0f), max(V::zero(), x + V::set(3.0f))) * V::set(1.0f / 6.0f);
}

/// Applies `finish` to the accumulators of rows [kBegin, kEnd) of a tile. The switch stands outside the
/// loops: once a tile, not once a value.
template <int kBegin, int kEnd, class V, int kRows, int kVectors>
inline __attribute__((always_inline)) void apply_finish(Finish finish, V (&acc)[kRows][kVectors]) {
  switch (finish) {
    case Finish::kHardSwish:
#pragma GCC unroll 32
      for (int i = kBegin; i < kEnd; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) acc[i][j] = acc[i][j] * hard_sigmoid(acc[i][j]);
      break;
    case Finish::kHardSigmoid:
#pragma GCC unroll 32
      for (int i = kBegin; i < kEnd; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) acc[i][j] = hard_sigmoid(acc[i][j]);
      break;
    case Finish::kRelu:
    case Finish::kRelu6: {
      const V high = V::set(finish == Finish::kRelu6 ? 6.0f : kInfinity);
#pragma GCC unroll 32
      for (int i = kBegin; i < kEnd; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) acc[i][j] = min(high, max(V::zero(), acc[i][j]));
      break;
    }
    case Finish::kNone: break;
  }
}

/// Applies `finish` to every accumulator of a tile.
template <class V, int kRows, int kVectors>
inline __attribute__((always_inline)) void apply_finish(Finish finish, V (&acc)[kRows][kVectors]) {
  apply_finish<0, kRows>(finish, acc);
}

}  // namespace
}  // namespace linnet::cpu
