// Fake quantisation: values as they are once they were stored in int8, and its gradient.
//
// q = round(x / scale), halves to even, limited to [low, high], and y = q * scale, which is what
// numerics::quantize_real() and dequantize_real() make of x, bit by bit, but what is not a number stays so.
// `low` and `high` are the ends of int8 less the zero point.
//
// Gradients go straight through rounding (Bengio et al., "Estimating or propagating gradients through
// stochastic neurons", 2013). Where rounding leaves [low, high] a value is clipped: it gets none, and the
// scale's is the end of the grid; elsewhere it is q - x / scale. (Esser et al., "Learned step size
// quantization", 2020, section 2.1; the clipped values' part alone, over high, is the gradient of the largest
// value in Choi et al., "PACT", 2018, section 3)
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// How values lie on the grid.
struct GridF32 {
  float scale;
  float inverse_scale;  ///< 1 / scale
  float low;            ///< -128 - zero_point
  float high;           ///< 127 - zero_point
};

struct FakeQuantizeF32 {
  const float* x;          ///< rows of c values; may be y
  std::ptrdiff_t x_pixel;  ///< values from one row to the next
  float* y;                ///< rows of c values
  std::ptrdiff_t y_pixel;
  std::ptrdiff_t pixels;
  int c;
  GridF32 grid;
};

struct FakeQuantizeGradientF32 {
  const float* x;  ///< [n]
  float* d;        ///< [n]: the gradient of y, overwritten by that of x
  std::ptrdiff_t n;
  GridF32 grid;
  // Overwritten: what the values give to the gradient of the scale,
  float inside;   ///< those that are not clipped
  float clipped;  ///< those that are
};

}  // namespace linnet::cpu
