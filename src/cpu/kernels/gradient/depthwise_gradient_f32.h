// The gradients of a depthwise layer.
//
// That of its input is again a depthwise layer where the stride is 1: of dy, with the kernel turned around
// (depthwise_f32.h). Elsewhere every input pixel gathers the outputs that it reached.
//
// Of an image only some rows may be there, in a ring: row i at i % ring.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// dw[r, s, c] = sum over images and output pixels of dy[.., ho, wo, c] * x[.., ho * stride - pad + r, ..,
/// c], added to what dw holds where `accumulate` is set.
struct DepthwiseWeightGradientF32 {
  const float* x;   ///< [images, x_ring, w, c]
  const float* dy;  ///< [images, dy_ring, wo, c]
  int x_ring;
  int dy_ring;
  int row_begin;  ///< output rows [row_begin, row_end) are summed over
  int row_end;
  int images;
  int h;
  int w;
  int c;
  int ho;
  int wo;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;
  int pad_left;
  float* dw;  ///< [kernel_h, kernel_w, c]
  bool accumulate;
};

/// dx[h, w, c] = sum of dy[ho, wo, c] * weight[r, s, c] over the taps that read x[h, w, c]; one image, rows
/// [row_begin, row_end).
struct DepthwiseInputGradientF32 {
  const float* dy;  ///< [dy_ring, wo, c]
  int dy_ring;
  int row_begin;
  int row_end;
  const float* weight;  ///< [kernel_h, kernel_w, c]
  int h;
  int w;
  int c;
  int ho;
  int wo;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;
  int pad_left;
  float* dx;  ///< [row_end - row_begin, w, c]
};

}  // namespace linnet::cpu
