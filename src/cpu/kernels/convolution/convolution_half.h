// Dense convolution of 16-bit floats as a matrix product, accumulated in float32: convolution_f32.h says what a
// window's runs are.
//
// An ISA multiplies groups of values along a run: pairs where it has a dot product of bfloat16, else one at a time,
// as float32. Where it does not read what is stored (it wants float32, or a run is no multiple of its group), the
// windows of a block of pixels are gathered into scratch first, each as one run with zeros behind.
//
// Every output is one chain of operations in the order bias, r, s, c, whatever the tile it falls into.
#pragma once

#include <cstddef>

#include "cpu/kernels/activation.h"
#include "cpu/kernels/half.h"

namespace linnet::cpu {

template <class T>
struct ConvolutionHalf {
  const T* x;              ///< first value of the first pixel's window
  std::ptrdiff_t x_pixel;  ///< values from one output pixel's window to the next one's
  std::ptrdiff_t x_run;    ///< values from one run to the next
  int runs;                ///< R
  int run;                 ///< S * C
  const float* bias;       ///< of PackedConvolutionHalf
  const T* packed;
  const T* residual;  ///< added to the sum, rounded, before `finish`; laid out like y; or nullptr
  T* y;               ///< [pixels, k]
  float* real;        ///< where the result goes in float32 instead of y; or nullptr
  int pixels;         ///< number of output pixels
  int k;              ///< output channels, all of them
  int panel_begin;    ///< panels [panel_begin, panel_end) are computed
  int panel_end;
  Finish finish;
  std::byte* scratch;  ///< gather_bytes_half()
};

/// How an ISA wants its weights.
struct HalfLayout {
  int width;         ///< output channels in a vector
  int narrow;        ///< in the last vector, where no more than these are left; `width` where there is no such vector
  int group;         ///< values along a run that it multiplies at once
  bool always_gathers;
  int gathered_bytes;  ///< of a gathered value
};

/// Vectors in a panel, and where there is an odd one, in the last.
struct HalfPanel {
  int first;    ///< output channel
  int vectors;  ///< whole ones
  bool narrow;  ///< and one of `narrow` channels
  constexpr int channels(const HalfLayout& l) const { return vectors * l.width + (narrow ? l.narrow : 0); }
};

inline constexpr int kHalfPanelVectors = 2;

inline constexpr int count_panels_half(const HalfLayout& l, int k) {
  const int vectors = (k + l.width - 1) / l.width;
  return vectors < 2 * kHalfPanelVectors ? 1 : vectors / kHalfPanelVectors;
}

inline constexpr HalfPanel panel_half(const HalfLayout& l, int k, int panel) {
  const int first = panel * kHalfPanelVectors * l.width;
  if (panel + 1 < count_panels_half(l, k)) return {first, kHalfPanelVectors, false};
  const int vectors = (k - first + l.width - 1) / l.width;
  const bool narrow = k - first - (vectors - 1) * l.width <= l.narrow && l.narrow < l.width;
  return {first, vectors - (narrow ? 1 : 0), narrow};
}

/// Whether windows of runs of `run` values are gathered.
inline constexpr bool gathers_half(const HalfLayout& l, int run) { return l.always_gathers || run % l.group != 0; }

/// Values in a packed column of weights: whole groups in each run, or in all where they are gathered.
inline constexpr int packed_depth_half(const HalfLayout& l, int runs, int run) {
  const int depth = runs * run;
  return gathers_half(l, run) ? (depth + l.group - 1) / l.group * l.group : depth;
}

/// The least pixels that are gathered at a time: those of the largest tile.
inline constexpr int kGatheredPixels = 14;
inline constexpr int kGatheredBytes = 24 * 1024;

/// Pixels that are gathered at a time.
inline constexpr int gathered_pixels_half(const HalfLayout& l, int runs, int run) {
  const int tiles = kGatheredBytes / (packed_depth_half(l, runs, run) * l.gathered_bytes * kGatheredPixels);
  return kGatheredPixels * (tiles > 1 ? tiles : 1);
}

/// Bytes of scratch that a thread needs.
inline constexpr std::ptrdiff_t gather_bytes_half(const HalfLayout& l, int runs, int run) {
  if (!gathers_half(l, run)) return 0;
  constexpr std::ptrdiff_t kSlack = 64;  // a vector
  return std::ptrdiff_t{packed_depth_half(l, runs, run)} * l.gathered_bytes * gathered_pixels_half(l, runs, run) + kSlack;
}

}  // namespace linnet::cpu
