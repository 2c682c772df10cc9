// Dense int8 convolution as a matrix product: pointwise (1x1), linear, and any R x S window.
//
// The window of one output pixel is `runs` runs of `run` contiguous values, as in convolution_f32.h. A kernel
// gathers the windows of a block of pixels into scratch, in the form that the ISA multiplies (bytes with 128
// added, or int16), each to a whole number of groups, and then walks panels of output channels over it. So x
// is read within its windows alone, and the inner loop knows no tails: what lies behind a window meets
// weights of 0.
//
// acc = sum((x - zero_x) * (w - zero_w)) + bias; y = requantize(acc); then where there is a residual
// y = add(y, residual); last where there is a table y = lookup(table, y): numerics/int8.h, step by step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "numerics/int8.h"

namespace linnet::cpu {

/// How an ISA wants its weights.
struct ConvolutionLayoutS8 {
  int lanes;     ///< int32 accumulators in a vector
  int vectors;   ///< most vectors of a panel, whose channels are interleaved as Int8::pack() undoes it
  int group;     ///< values of depth that lie side by side for one lane; depth is padded to a multiple of it
  bool halves;   ///< the first halves of all lanes' groups lie before the second ones
  bool narrows;  ///< a last vector of at most lanes / 2 channels is multiplied at half the width
  int bytes;     ///< of a weight and of a gathered x: 1 or 2
  int offset;    ///< what gathering adds to x: 128 where it must be unsigned, else 0
  bool reads_unsigned = false;  ///< knows ConvolutionS8::x_is_unsigned
  int chunk = 1;  ///< depth is padded to whole chunks too, where an ISA multiplies so much at once
};

/// The residual add behind a convolution.
struct ResidualS8 {
  const std::int8_t* x;  ///< laid out like y, which it may be; nullptr: none
  bool is_a;             ///< x is the first operand of linnet_add() and the convolution the second
  int zero_a;
  int zero_b;
  linnet_add_multiplier by;
  linnet_output to;
};

struct ConvolutionS8 {
  const std::int8_t* x;    ///< first value of the first pixel's window
  std::ptrdiff_t x_pixel;  ///< values from one output pixel's window to the next one's
  std::ptrdiff_t x_run;    ///< values from one run to the next
  int runs;                ///< R
  int run;                 ///< S * C
  bool x_is_unsigned;  ///< x is stored plus 128, as unsigned bytes, and is multiplied where it lies: one run
                       ///< of whole groups, one pixel behind the other, zero_w = 0
  const std::byte* weight;  ///< of PackedConvolutionS8, as are the next five
  const std::int32_t* bias;
  const float* scale;
  const std::int32_t* m;  ///< nullptr where every channel is exact in float
  const std::int32_t* t;
  bool wide;
  int zero_w;  ///< 0 but in imported files
  linnet_output to;
  ResidualS8 residual;
  const std::int8_t* table;  ///< 256 bytes, or nullptr
  std::int8_t* y;            ///< [pixels, k]
  int pixels;                ///< number of output pixels
  int k;                     ///< output channels, all of them
  int panel_begin;           ///< panels [panel_begin, panel_end) are computed
  int panel_end;
  std::byte* scratch;  ///< convolution_scratch_s8() bytes on a cache line, a thread's own
};

inline constexpr int count_vectors_s8(const ConvolutionLayoutS8& layout, int k) {
  return (k + layout.lanes - 1) / layout.lanes;
}
/// Number of panels for k output channels: all have layout.vectors vectors, the last one those that are left.
inline constexpr int count_panels_s8(const ConvolutionLayoutS8& layout, int k) {
  return (count_vectors_s8(layout, k) + layout.vectors - 1) / layout.vectors;
}
struct PanelS8 {
  int first;    ///< vectors before it
  int vectors;  ///< its own
  bool narrow;  ///< the last of them is multiplied at half the width, and the channels are in their own order
};
inline constexpr PanelS8 panel_s8(const ConvolutionLayoutS8& layout, int k, int panel) {
  const int first = panel * layout.vectors;
  const int left = count_vectors_s8(layout, k) - first;
  const bool narrow =
      layout.narrows && left <= layout.vectors && (left + first) * layout.lanes - k >= layout.lanes / 2;
  return {first, left < layout.vectors ? left : layout.vectors, narrow};
}
/// `depth` = R * S * C padded to whole groups and chunks.
inline constexpr int padded_depth_s8(const ConvolutionLayoutS8& layout, int depth) {
  const int unit = layout.group > layout.chunk ? layout.group : layout.chunk;
  return (depth + unit - 1) / unit * unit;
}

/// Pixels gathered at once, at most `pixels`: what stays in the L1 or L2 cache while the panels pass over it.
inline constexpr int convolution_block_s8(const ConvolutionLayoutS8& layout, int depth, int pixels) {
  constexpr int kBlockBytes = 24 * 1024;
  const int kLeastPixels = layout.chunk > layout.group ? 64 : 48;  // whole blocks of tiles
  const int fitting = kBlockBytes / (padded_depth_s8(layout, depth) * layout.bytes);
  const int block = fitting < kLeastPixels ? kLeastPixels : fitting;
  return pixels < block ? pixels : block;
}
/// Bytes of scratch a pixel: its window, but where an ISA with chunks reads a single run in place what is
/// left of it.
inline constexpr int gathered_row_s8(const ConvolutionLayoutS8& layout, int runs, int depth) {
  if (layout.chunk > layout.group && runs == 1) return depth % layout.chunk ? layout.chunk : 0;
  return padded_depth_s8(layout, depth) * layout.bytes;
}
/// Bytes behind the gathered block that a kernel may write: a vector's.
inline constexpr int kConvolutionSlackS8 = 64;
/// Bytes of scratch for `depth` = R * S * C in `runs` runs and calls of up to `pixels` pixels: gathered
/// pixels, the slack, and a sum a pixel.
inline constexpr std::size_t convolution_scratch_s8(const ConvolutionLayoutS8& layout, int runs, int depth,
                                                    int pixels = 0x7fffffff) {
  const auto block = static_cast<std::size_t>(convolution_block_s8(layout, depth, pixels));
  const auto row = static_cast<std::size_t>(gathered_row_s8(layout, runs, depth));
  return (block * row + kConvolutionSlackS8 + 63) / 64 * 64 + (block * sizeof(std::int32_t) + 63) / 64 * 64;
}

}  // namespace linnet::cpu
