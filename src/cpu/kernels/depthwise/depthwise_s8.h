// Depthwise int8 convolution: every channel with its own R x S kernel.
//
// acc = sum((x - zero_x) * (w - zero_w)) + bias over the taps inside the image; y = requantize(acc); last
// where there is a table y = lookup(table, y): numerics/int8.h, step by step.
//
// Windows of 3 x 3 and 5 x 5 run in one of two forms, whichever is faster on the ISA:
//   float   float32's tiles, where every channel is exact in float (depthwise_float_s8.h);
//   quads   four bytes of one channel, which an instruction multiplies by four weights and adds to one
//           accumulator. They come from four rows of one column: a quad serves as many output rows as reach
//           it, each with its weights moved by a row, and is made once for all columns that reach it
//           (depthwise_s8_body.h). Or from four columns of one row (depthwise_columns_s8.h). No weight is
//           -128 or has a zero point.
// Everything else (other windows, a few channels, plain C++) takes int16 weights.
#pragma once

#include <cstddef>
#include <cstdint>

#include "numerics/int8.h"

namespace linnet::cpu {

/// How an ISA multiplies quads.
enum class QuadForm {
  kNone,    ///< it does not
  kBytes,   ///< x and w as they are, or x + 128: vpdpbusd, sdot
  kHalves,  ///< rows 0 and 1 of all lanes before rows 2 and 3: smull, smlal
};

inline constexpr int kAnyChannelsS8 = 1 << 30;

/// How an ISA wants its weights.
struct DepthwiseLayoutS8 {
  QuadForm form;
  int lanes;         ///< int32 accumulators in a vector; a block of channels is four vectors, on columns one
  int narrow_lanes;  ///< the same in the last block, where half of it is enough
  int offset_even;   ///< what is added to rows 0 and 2 of a quad, so that they are unsigned: 128 or 0
  int offset_odd;    ///< to rows 1 and 3
  /// Layers of narrow_lanes to so many channels run in float where they are exact in it.
  int float_channels = 0;
  bool has_columns = false;  ///< quads of columns too, which are faster for most layers
};

/// Computes output rows [row_begin, row_end). Padding may be anything, on any side. x is read within its
/// rows, nothing else is written than y.
struct DepthwiseS8 {
  const std::int8_t* x;  ///< [ring, c]: pixel i of the image, in raster order, at x + (i % ring) * c
  int ring;              ///< h * w where the whole image is there, less where only what is needed is: whole
                         ///< rows, but for kernels of any window
  int h;
  int w;
  int c;
  int zero_x;
  const std::byte* weight;  ///< of PackedDepthwiseS8, as are the next four
  const std::int32_t* bias;
  const float* scale;
  const std::int32_t* m;  ///< nullptr where every channel is exact in float
  const std::int32_t* t;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int pad_top;  ///< rows of padding above; those below follow from the number of output rows
  int pad_left;
  std::int8_t* y;  ///< [row_end - row_begin, wo, c]
  int wo;
  int row_begin;
  int row_end;
  linnet_output to;
  const std::int8_t* table;  ///< 256 bytes, or nullptr
  bool y_is_unsigned;        ///< y is stored plus 128, as unsigned bytes; on quads, where
                             ///< KernelsS8::stores_unsigned
};

/// A block of neighbouring channels, 4 * lanes of them or what there is; `lanes` of them on columns.
struct DepthwiseBlockS8 {
  int first;
  int lanes;
};
/// Blocks are whole but for the last, which begins early enough to be whole where there are channels enough.
inline constexpr DepthwiseBlockS8 depthwise_block_s8(const DepthwiseLayoutS8& layout, int c, int block) {
  const int first = block * 4 * layout.lanes;
  const int lanes = c - first > 4 * layout.narrow_lanes ? layout.lanes : layout.narrow_lanes;
  return {first + 4 * lanes <= c || c < 4 * lanes ? first : c - 4 * lanes, lanes};
}
inline constexpr int count_depthwise_blocks_s8(const DepthwiseLayoutS8& layout, int c) {
  return (c + 4 * layout.lanes - 1) / (4 * layout.lanes);
}
/// Channels from the block's first one to the one that this lane holds: Int8::pack() puts them in order.
inline constexpr int depthwise_channel_s8(int vector, int lane) {
  return 16 * (lane / 4) + 4 * vector + lane % 4;
}

/// The blocks of quads of columns: vectors, but for the last whole ones; where there are fewer channels all
/// are narrow. No fewer than narrow_lanes channels.
inline constexpr int column_lanes_s8(const DepthwiseLayoutS8& layout, int c) {
  return c < layout.lanes ? layout.narrow_lanes : layout.lanes;
}
inline constexpr int count_column_blocks_s8(const DepthwiseLayoutS8& layout, int c) {
  const int lanes = column_lanes_s8(layout, c);
  return (c + lanes - 1) / lanes;
}
/// Lanes of the blocks before `block`.
inline constexpr int first_column_lane_s8(const DepthwiseLayoutS8& layout, int c, int block) {
  return block * column_lanes_s8(layout, c);
}
inline constexpr DepthwiseBlockS8 column_block_s8(const DepthwiseLayoutS8& layout, int c, int block) {
  const int first = first_column_lane_s8(layout, c, block);
  const int lanes = c - first <= layout.narrow_lanes ? layout.narrow_lanes : column_lanes_s8(layout, c);
  return {first + lanes <= c ? first : c - lanes, lanes};
}
/// Whether the block is one of four that are a block of rows' quads: made, multiplied and stored like those.
inline constexpr bool is_wide_column_block_s8(const DepthwiseLayoutS8& layout, int c, int block) {
  return (block / 4 + 1) * 4 * layout.lanes <= c;
}
inline constexpr int column_channel_s8(const DepthwiseLayoutS8& layout, int c, int block, int lane) {
  if (is_wide_column_block_s8(layout, c, block))
    return block / 4 * 4 * layout.lanes + depthwise_channel_s8(block % 4, lane);
  return column_block_s8(layout, c, block).first + lane;
}
/// Weights of a lane, in quads: [window row][column of a quad in which a window begins][quads that it meets].
inline constexpr int column_quads_s8(int kernel) { return kernel == 3 ? 1 : 2; }
inline constexpr int column_weights_s8(int kernel, int stride) {
  return kernel * (4 / stride) * column_quads_s8(kernel);
}
/// The tap that byte `byte` of quad `quad` is, for windows that begin in column `start` of the first quad.
/// Windows of 3 that go on in the second quad take its first two columns in the place of the first one's.
inline constexpr int column_tap_s8(int kernel, int start, int quad, int byte) {
  const bool is_second = kernel == 3 ? start >= 2 && byte < 2 : quad == 1;
  return (is_second ? 4 : 0) + byte - start;
}

/// Output rows that share quads.
inline constexpr int rows_of_quads_s8(int kernel, int stride) { return kernel == 3 && stride == 2 ? 1 : 2; }
/// Quads that those rows reach in one column.
inline constexpr int quads_of_window_s8(int kernel, int stride) {
  return ((rows_of_quads_s8(kernel, stride) - 1) * stride + kernel + 3) / 4;
}
/// Whether a window of kernel_h x kernel_w has a kernel of its own.
inline constexpr bool is_depthwise_square_s8(int kernel_h, int kernel_w, int stride_h, int stride_w) {
  return kernel_h == kernel_w && (kernel_h == 3 || kernel_h == 5) && stride_h == stride_w &&
         (stride_h == 1 || stride_h == 2);
}

/// Columns waste a part of the last quad of a row and load their weights once a row; rows waste lanes of a
/// last block that is not whole, and at stride 2 most of their quads.
inline constexpr bool prefers_columns_s8(const DepthwiseLayoutS8& layout, int w, int c, int stride) {
  if (!layout.has_columns || c < layout.narrow_lanes) return false;
  constexpr int kLongRow = 20;
  return stride == 2 ? w >= 2 * kLongRow : w >= kLongRow && c % (4 * layout.narrow_lanes) != 0;
}

/// Bytes of padding, each the zero point of x, that stand before float weights: those of the longest vector.
inline constexpr int kDepthwisePaddingS8 = 16;

/// Channels in a block of int16 weights; they are padded to whole ones.
inline constexpr int kDepthwisePlainBlockS8 = 64;

}  // namespace linnet::cpu
