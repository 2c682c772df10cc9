// Dense convolution as a matrix product: pointwise (1x1), linear, and any R x S window.
//
// The window of one output pixel is a few runs of contiguous values: S * C of them in each of R input rows.
// So a pixel's dot product walks `runs` runs of `run` values, and no im2col copy is made; a pointwise layer
// has one run of C. Weights are packed once, for one ISA: panels of a few vectors of output channels, each
// panel its biases and then R * S * C rows. Channels behind the last are zero in the panel and never stored.
//
// Every output is one chain of multiply-adds in the order bias, r, s, c, whatever the tile it falls into:
// results do not depend on how the work is cut among threads.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"

namespace linnet::cpu {

struct ConvolutionF32 {
  const float* x;          ///< first value of the first pixel's window
  std::ptrdiff_t x_pixel;  ///< values from one output pixel's window to the next one's
  std::ptrdiff_t x_run;    ///< values from one run to the next
  int runs;                ///< R
  int run;                 ///< S * C
  const float* packed;     ///< pack_convolution_f32()
  const float* residual;   ///< added before `finish`, laid out like y; or nullptr
  float* y;                ///< [pixels, k]
  int pixels;              ///< number of output pixels
  int k;                   ///< output channels, all of them
  int panel_begin;         ///< panels [panel_begin, panel_end) are computed
  int panel_end;
  const char* fetch;           ///< weights of a later layer, brought into the cache meanwhile
  std::ptrdiff_t fetch_bytes;  ///< how many; 0: none
  Finish finish;
};

/// Vectors of output channels in a panel. Where their number is odd, the last panel takes three, so that none
/// is left with a single one; a layer of one vector is a panel of one.
inline constexpr int kPanelVectors = 2;

/// Number of panels for k output channels in vectors of `width` values.
int count_panels(int width, int k);
/// Vectors in the panels before `panel`.
int vectors_before(int width, int k, int panel);
/// Number of floats that pack_convolution_f32() writes. `depth` is R * S * C.
std::size_t packed_size(int width, int k, int depth);
/// weight: [K, R, S, C], bias: [K] or nullptr. `packed` holds packed_size() floats and should start on a
/// cache line.
void pack_convolution_f32(int width, int k, int depth, const float* weight, const float* bias, float* packed);

/// What training packs at every step.
struct PackF32 {
  int width;
  int k;                ///< output channels
  int depth;            ///< R * S * C
  const float* weight;  ///< [k, depth]; [depth, k] where `transposed`, for the gradient of the input
  bool transposed = false;
  const float* bias;  ///< [k], or nullptr
  float* packed;      ///< all of it: packed_size() floats
};
/// Panels [panel_begin, panel_end) of what pack_convolution_f32() writes.
void pack_panels_f32(const PackF32& a, int panel_begin, int panel_end);

}  // namespace linnet::cpu
