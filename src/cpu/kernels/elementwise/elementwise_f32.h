// Kernels that touch every value once: residual add, the gate of squeeze-and-excite, activations that stand
// alone. Each may work in place: y may be a. T: float, or half of one (half.h).
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"

namespace linnet::cpu {

/// y[i] = finish(a[i] + b[i])
template <class T>
struct AddOf {
  const T* a;
  const T* b;
  T* y;
  std::ptrdiff_t n;
  Finish finish;
};

/// y[p, c] = x[p, c] * gate[c]
template <class T>
struct MultiplyOf {
  const T* x;     ///< [pixels, c]
  const T* gate;  ///< [c]
  T* y;           ///< [pixels, c]
  std::ptrdiff_t pixels;
  int c;
};

/// y[i] = finish(x[i])
template <class T>
struct ActivateOf {
  const T* x;
  T* y;
  std::ptrdiff_t n;
  Finish finish;
};

/// y[i] = x[i], between float32 and half of it.
template <class From, class To>
struct Convert {
  const From* x;
  To* y;
  std::ptrdiff_t n;
};

using AddF32 = AddOf<float>;
using MultiplyF32 = MultiplyOf<float>;
using ActivateF32 = ActivateOf<float>;

}  // namespace linnet::cpu
