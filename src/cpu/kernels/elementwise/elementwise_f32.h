// Kernels that touch every value once: residual add, the gate of squeeze-and-excite, activations that stand
// alone. Each may work in place: y may be a.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"

namespace linnet::cpu {

/// y[i] = finish(a[i] + b[i])
struct AddF32 {
  const float* a;
  const float* b;
  float* y;
  std::ptrdiff_t n;
  Finish finish;
};

/// y[p, c] = x[p, c] * gate[c]
struct MultiplyF32 {
  const float* x;     ///< [pixels, c]
  const float* gate;  ///< [c]
  float* y;           ///< [pixels, c]
  std::ptrdiff_t pixels;
  int c;
};

/// y[i] = finish(x[i])
struct ActivateF32 {
  const float* x;
  float* y;
  std::ptrdiff_t n;
  Finish finish;
};

}  // namespace linnet::cpu
