// The gradient of a gate: what squeeze-and-excite multiplies every pixel of a channel by.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// sum[c] = sum over p of a[p, c] * b[p, c]
struct ProductSumsF32 {
  const float* a;  ///< [pixels, c]
  const float* b;  ///< [pixels, c]
  float* sum;      ///< [c], overwritten
  std::ptrdiff_t pixels;
  int c;
};

}  // namespace linnet::cpu
