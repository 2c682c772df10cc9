// The gradient of a dense layer's weights: a matrix product over pixels.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// dw[k, c] = sum over p of dy[p, k] * x[p, c], added to what dw holds where `accumulate` is set. Rows of x
/// and dy that lie a large power of two apart fight for the same lines of the L1 cache; a cache line more
/// from row to row avoids it.
struct WeightGradientF32 {
  const float* dy;
  std::ptrdiff_t dy_pixel;  ///< values from one row to the next
  const float* x;
  std::ptrdiff_t x_pixel;  ///< values from one row to the next
  int pixels;
  int k;
  int c;
  float* dw;  ///< [k, c]
  bool accumulate;
};

}  // namespace linnet::cpu
