// Dense convolution of 16-bit floats as a matrix product, accumulated in float32: convolution_f32.h says what
// a window's runs are.
//
// An ISA multiplies groups of values along a run: pairs where it has a dot product of bfloat16, else one at a
// time, as float32. The last group of an odd run is one value and a zero. An ISA that multiplies float32 has
// the windows of a block of pixels converted into scratch first, each as one run; one that multiplies chunks
// of the depth has them copied there, with zeros behind, where they do not lie so.
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
  std::byte* scratch;  ///< scratch_half() bytes
};

/// How an ISA wants its weights.
struct HalfLayout {
  int width;      ///< output channels in a vector
  int narrow;     ///< in the last vector, where no more than these are left; `width` where there is no such
                  ///< vector
  int group;      ///< values along a run that it multiplies at once
  bool converts;  ///< x to float32, in scratch
  int chunk = 1;  ///< values of the depth that it multiplies at once, of a window whose runs are joined to
                  ///< one; 1: none
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

/// Values in a packed run of weights: whole groups, and chunks.
inline constexpr int packed_run_half(const HalfLayout& l, int run) {
  const int unit = l.group > l.chunk ? l.group : l.chunk;
  return (run + unit - 1) / unit * unit;
}

/// Pixels whose windows of `depth` = runs * run values an ISA with chunks takes at a time.
inline constexpr int chunked_pixels_half(const HalfLayout& l, int depth) {
  constexpr int kBytes = 24 * 1024;
  constexpr int kLeastPixels = 64;
  const int fitting = kBytes / (2 * packed_run_half(l, depth));
  return fitting < kLeastPixels ? kLeastPixels : fitting;
}

/// Pixels whose windows of `depth` = runs * run values are converted at a time: whole tiles.
inline constexpr int converted_pixels_half(int depth) {
  constexpr int kTile = 14;
  constexpr int kBytes = 24 * 1024;
  const int tiles = kBytes / (depth * 4 * kTile);
  return kTile * (tiles > 1 ? tiles : 1);
}

/// Bytes of scratch that a thread needs: with a vector behind the values. An ISA with chunks reads a single
/// run in place, but for what is left of it.
inline constexpr std::ptrdiff_t scratch_half(const HalfLayout& l, int runs, int depth) {
  if (l.chunk > 1) {
    const int row = runs > 1 ? packed_run_half(l, depth) : depth % l.chunk ? l.chunk : 0;
    return std::ptrdiff_t{2} * row * chunked_pixels_half(l, depth) + 64;
  }
  return l.converts ? std::ptrdiff_t{depth} * 4 * converted_pixels_half(depth) + 64 : 0;
}

}  // namespace linnet::cpu
