// Depthwise convolution: every channel with its own R x S kernel.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"

namespace linnet::cpu {

/// T: float, or half of one (half.h). Computes output rows [row_begin, row_end). Taps outside the image are
/// left out, so padding may be anything, on any side. Every output is one chain of multiply-adds in the order
/// bias, r, s, wherever its tile begins.
template <class T>
struct DepthwiseOf {
  const T* x;  ///< [ring, c]: pixel i of the image, in raster order, at x + (i % ring) * c
  int ring;  ///< h * w where the whole image is there, less where only what is needed is: whole rows, but for
             ///< kernels of any window
  int h;
  int w;
  int c;
  const T* weight;    ///< [kernel_h, kernel_w, c]
  const float* bias;  ///< [c], or nullptr
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;  ///< rows of zeros above; those below follow from the number of output rows
  int pad_left;
  T* y;  ///< [row_end - row_begin, wo, c]
  int wo;
  int row_begin;
  int row_end;
  Finish finish;
};

/// Whether a kernel on pairs of rows (isa/depthwise_avx512_bf16.h) computes two output rows from the same
/// pairs.
inline constexpr bool has_both_forms(int kernel, int stride) { return kernel == 3 && stride == 1; }

using DepthwiseF32 = DepthwiseOf<float>;

}  // namespace linnet::cpu
