// Depthwise convolution: every channel with its own R x S kernel.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"

namespace linnet::cpu {

/// Computes output rows [row_begin, row_end). Taps outside the image are left out, so padding may be
/// anything, on any side. Every output is one chain of multiply-adds in the order bias, r, s, wherever its
/// tile begins.
struct DepthwiseF32 {
  const float* x;  ///< [ring, c]: pixel i of the image, in raster order, at x + (i % ring) * c
  int ring;        ///< h * w where the whole image is there, less where only what is needed is: whole rows,
                   ///< but for kernels of any window
  int h;
  int w;
  int c;
  const float* weight;  ///< [kernel_h, kernel_w, c]
  const float* bias;    ///< [c], or nullptr
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;  ///< rows of zeros above; those below follow from the number of output rows
  int pad_left;
  float* y;  ///< [row_end - row_begin, wo, c]
  int wo;
  int row_begin;
  int row_end;
  Finish finish;
};

}  // namespace linnet::cpu
