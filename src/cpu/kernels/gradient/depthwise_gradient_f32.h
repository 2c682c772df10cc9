// The gradients of a depthwise layer.
//
// That of its input is again a depthwise layer where the stride is 1: of dy, with the kernel turned around
// (depthwise_f32.h). Elsewhere every input pixel gathers the outputs that it reached.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// A window that slides over images.
struct DepthwiseGeometry {
  int h;  ///< of the input, as are w and c
  int w;
  int c;
  int ho;  ///< of the output
  int wo;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;
  int pad_left;
};

/// dw[r, s, c] = sum over images and output pixels of dy[.., ho, wo, c] * x[.., ho * stride - pad + r, ..,
/// c], added to what dw holds where `accumulate` is set.
struct DepthwiseWeightGradientF32 {
  DepthwiseGeometry at;
  int images;
  const float* x;   ///< [images, h, w, c]
  const float* dy;  ///< [images, ho, wo, c]
  float* dw;        ///< [kernel_h, kernel_w, c]
  bool accumulate;
};

/// dx[h, w, c] = sum of dy[ho, wo, c] * weight[r, s, c] over the taps that read x[h, w, c]; one image.
struct DepthwiseInputGradientF32 {
  DepthwiseGeometry at;
  const float* dy;      ///< [ho, wo, c]
  const float* weight;  ///< [kernel_h, kernel_w, c]
  float* dx;            ///< [h, w, c]
};

}  // namespace linnet::cpu
