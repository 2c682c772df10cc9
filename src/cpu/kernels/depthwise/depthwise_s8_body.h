// The one body of depthwise_s8 on quads, over any ISA's Quads. Internal linkage: see finish_body.h.
//
// A strip of columns of one block of channels is first turned into quads, padding included, which fit the L1
// cache. Tiles of a few columns by the rows that share them then know neither edges nor tails.
#pragma once

#include "cpu/kernels/abilities_s8_body.h"
#include "cpu/kernels/depthwise/depthwise_s8.h"

namespace linnet::cpu {
namespace {

/// Columns * quads of a strip: 16 KiB where a vector is 64 bytes.
constexpr int kStripQuadsS8 = 64;

/// Accumulators of the rows and columns of one tile.
template <class Q, int kRows, int kPixels>
struct DepthwiseAccumulatorsS8 {
  typename Q::Int8::I32 of[kRows][kPixels][4];
};

struct DepthwiseTileS8 {
  const std::int8_t* quads;  ///< of the first column
  const std::byte* weight;
  const std::int32_t* bias;
  const float* scale;
  const std::int32_t* m;
  const std::int32_t* t;
  const std::int8_t* table;  ///< that the tile looks up itself; or nullptr
  std::int8_t* y;
  std::ptrdiff_t y_pixel;
  std::ptrdiff_t y_row;
  int channels;
  bool clamps;  ///< the output's limits are not int8's own
  bool is_unsigned;
};

/// The accumulators of a tile: kRows output rows, kPixels columns, a block of channels.
template <class Q, int kKernel, int kStride, int kRows, int kPixels>
inline __attribute__((always_inline)) void accumulate_depthwise_s8(
    const DepthwiseTileS8& tile, DepthwiseAccumulatorsS8<Q, kRows, kPixels>& acc) {
  using V = typename Q::Int8;
  constexpr int kQuads = quads_of_window_s8(kKernel, kStride);
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      const typename V::I32 bias = Q::pin(V::load(tile.bias + (row * 4 + v) * V::kLanes));
#pragma GCC unroll 8
      for (int j = 0; j < kPixels; ++j) acc.of[row][j][v] = bias;
    }
#pragma GCC unroll 2
  for (int q = 0; q < kQuads; ++q) {
    const std::int8_t* quads = tile.quads + q * 16 * V::kLanes;
    const std::byte* weight = tile.weight + q * kKernel * 4 * Q::kWeightBytes;
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s) {
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        typename Q::Quad x[kPixels];
#pragma GCC unroll 8
        for (int j = 0; j < kPixels; ++j)
          x[j] = V::load(quads + (j * kStride * kQuads * 4 + v) * 4 * V::kLanes);
#pragma GCC unroll 4
        for (int row = 0; row < kRows; ++row) {
          typename Q::Weights w =
              Q::load_weights(weight + (row * kQuads * kKernel * 4 + v) * Q::kWeightBytes);
          if constexpr (kPixels > 1) w = Q::pin_weights(w);
#pragma GCC unroll 8
          for (int j = 0; j < kPixels; ++j) acc.of[row][j][v] = Q::multiply_add(acc.of[row][j][v], x[j], w);
        }
      }
      quads += kQuads * 16 * V::kLanes;
      weight += 4 * Q::kWeightBytes;
    }
  }
}

/// What a tile stores: limited, and looked up where that is the tile's work.
template <class V>
inline __attribute__((always_inline)) typename V::S8 finished_s8(typename V::S8 packed,
                                                                 const DepthwiseTileS8& tile,
                                                                 const typename V::Output& to) {
  typename V::S8 y = packed;
  if (tile.clamps) y = V::clamp(y, to);
  if constexpr (LooksUpInRegisters<V>) {
    if (tile.table) y = V::lookup(tile.table, y);
  }
  return stored_s8<V>(y, tile.is_unsigned);
}

template <class Q, int kKernel, int kStride, int kRows, int kPixels>
__attribute__((noinline)) void depthwise_tile_s8(const DepthwiseTileS8& tile,
                                                 const typename Q::Int8::Output& to) {
  using V = typename Q::Int8;
  DepthwiseAccumulatorsS8<Q, kRows, kPixels> acc;
  accumulate_depthwise_s8<Q, kKernel, kStride>(tile, acc);
  // Otherwise the compiler moves sums behind the stores of other pixels, and runs out of registers.
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 8
    for (int j = 0; j < kPixels; ++j)
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) acc.of[row][j][v] = Q::pin(acc.of[row][j][v]);
  typename V::F32 scale[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) scale[v] = V::load(tile.scale + v * V::kLanes);
  const bool whole = tile.channels >= 4 * V::kLanes;
#pragma GCC unroll 4
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 8
    for (int j = 0; j < kPixels; ++j) {
      auto& a = acc.of[row][j];
      const typename V::S8 y =
          finished_s8<V>(V::pack(V::scale(a[0], scale[0], to), V::scale(a[1], scale[1], to),
                                 V::scale(a[2], scale[2], to), V::scale(a[3], scale[3], to)),
                         tile, to);
      std::int8_t* const p = tile.y + row * tile.y_row + j * tile.y_pixel;
      if (whole)
        V::store(p, y);
      else
        V::store_partial(p, y, tile.channels);
    }
}

/// The same where a channel is not exact in float: one column at a time, not worth more code.
template <class Q, int kKernel, int kStride, int kRows>
__attribute__((noinline)) void depthwise_tile_64_s8(const DepthwiseTileS8& tile,
                                                    const typename Q::Int8::Output& to) {
  using V = typename Q::Int8;
  DepthwiseAccumulatorsS8<Q, kRows, 1> acc;
  accumulate_depthwise_s8<Q, kKernel, kStride>(tile, acc);
  for (int row = 0; row < kRows; ++row) {
    typename V::I32 scaled[4];
    for (int v = 0; v < 4; ++v)
      scaled[v] =
          V::scale(acc.of[row][0][v], V::load(tile.m + v * V::kLanes), V::load(tile.t + v * V::kLanes), to);
    V::store_partial(tile.y + row * tile.y_row,
                     finished_s8<V>(V::pack(scaled[0], scaled[1], scaled[2], scaled[3]), tile, to),
                     tile.channels);
  }
}

/// Exactly `pixels` columns, 1 <= pixels <= kPixels.
template <class Q, int kKernel, int kStride, int kRows, int kPixels>
inline void depthwise_pixels_s8(const DepthwiseTileS8& tile, int pixels, const typename Q::Int8::Output& to) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels)
      return depthwise_pixels_s8<Q, kKernel, kStride, kRows, kPixels - 1>(tile, pixels, to);
  }
  depthwise_tile_s8<Q, kKernel, kStride, kRows, kPixels>(tile, to);
}

/// Where the rows of a tile's quads are: nullptr outside the image.
template <int kQuads>
struct DepthwiseRowsS8 {
  const std::int8_t* x[4 * kQuads];
};

/// Columns [begin, end) of a block of channels, all inside the image, as quads.
template <class Q, int kQuads, bool kWhole>
std::int8_t* make_inner_quads_s8(const DepthwiseS8& a, const DepthwiseRowsS8<kQuads>& rows, int channel,
                                 int channels, int begin, int end, std::int8_t* quads) {
  using V = typename Q::Int8;
  alignas(64) std::int8_t outside[4 * V::kLanes];
  V::store(outside, V::set(static_cast<std::int8_t>(a.zero_x)));
  const std::int8_t* x[4 * kQuads];
  std::ptrdiff_t step[4 * kQuads];
  for (int i = 0; i < 4 * kQuads; ++i) {
    x[i] = rows.x[i] ? rows.x[i] + static_cast<std::ptrdiff_t>(begin) * a.c + channel : outside;
    step[i] = rows.x[i] ? a.c : 0;
  }
  for (int column = begin; column < end; ++column) {
#pragma GCC unroll 2
    for (int q = 0; q < kQuads; ++q) {
      typename V::S8 four[4], made[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        four[i] = kWhole ? V::load(x[4 * q + i]) : V::load_partial(x[4 * q + i], channels);
        x[4 * q + i] += step[4 * q + i];
      }
      Q::interleave(four, made);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) V::store(quads + v * 4 * V::kLanes, made[v]);
      quads += 16 * V::kLanes;
    }
  }
  return quads;
}

/// Quads of `columns` columns outside the image.
template <class Q, int kQuads>
std::int8_t* make_outer_quads_s8(int zero_x, int columns, std::int8_t* quads) {
  using V = typename Q::Int8;
  const typename V::S8 zero = V::set(static_cast<std::int8_t>(zero_x));
  const typename V::S8 four[4] = {zero, zero, zero, zero};
  typename V::S8 made[4];
  Q::interleave(four, made);
  for (int i = 0; i < columns * kQuads * 4; ++i, quads += 4 * V::kLanes) V::store(quads, made[0]);
  return quads;
}

/// Columns [begin, end) of a block of channels as quads.
template <class Q, int kQuads>
void make_quads_s8(const DepthwiseS8& a, const DepthwiseRowsS8<kQuads>& rows, int channel, int channels,
                   int begin, int end, std::int8_t* quads) {
  const auto inside = [&](int column) { return column < 0 ? 0 : column > a.w ? a.w : column; };
  const int first = inside(begin), last = inside(end);
  const int left = begin < 0 ? (end < 0 ? end : 0) - begin : 0;
  quads = make_outer_quads_s8<Q, kQuads>(a.zero_x, left, quads);
  if (channels >= 4 * Q::Int8::kLanes)
    quads = make_inner_quads_s8<Q, kQuads, true>(a, rows, channel, channels, first, last, quads);
  else
    quads = make_inner_quads_s8<Q, kQuads, false>(a, rows, channel, channels, first, last, quads);
  make_outer_quads_s8<Q, kQuads>(a.zero_x, end - begin - left - (last - first), quads);
}

/// A block of channels of kRows output rows.
template <class Q, int kKernel, int kStride, int kRows>
void depthwise_strips_s8(const DepthwiseS8& a,
                         const DepthwiseRowsS8<quads_of_window_s8(kKernel, kStride)>& rows, int channel,
                         DepthwiseTileS8 tile) {
  using V = typename Q::Int8;
  constexpr int kQuads = quads_of_window_s8(kKernel, kStride);
  constexpr int kStrip = (kStripQuadsS8 / kQuads - kKernel) / kStride + 1;
  constexpr int kPixels = Q::kPixels;
  alignas(64) std::int8_t quads[kStripQuadsS8 * 16 * V::kLanes];
  const typename V::Output to(a.to);
  for (int strips = (a.wo + kStrip - 1) / kStrip, begin = 0; strips > 0; --strips) {
    const int end = begin + (a.wo - begin + strips - 1) / strips;
    const int left = begin * kStride - a.pad_left;
    make_quads_s8<Q, kQuads>(a, rows, channel, tile.channels, left,
                             left + (end - 1 - begin) * kStride + kKernel, quads);
    tile.quads = quads;
    for (int tiles = (end - begin + kPixels - 1) / kPixels; begin < end; --tiles) {
      const int pixels = tile.m ? 1 : (end - begin + tiles - 1) / tiles;
      if (tile.m)
        depthwise_tile_64_s8<Q, kKernel, kStride, kRows>(tile, to);
      else
        depthwise_pixels_s8<Q, kKernel, kStride, kRows, kPixels>(tile, pixels, to);
      tile.quads += pixels * kStride * kQuads * 16 * V::kLanes;
      tile.y += pixels * tile.y_pixel;
      begin += pixels;
    }
  }
}

/// kRows output rows from ho on of a block of channels; tile.y is where they go.
template <class Q, int kKernel, int kStride, int kRows>
void depthwise_rows_s8(const DepthwiseS8& a, int ho, const DepthwiseBlockS8& block,
                       const DepthwiseTileS8& tile) {
  constexpr int kQuads = quads_of_window_s8(kKernel, kStride);
  DepthwiseRowsS8<kQuads> rows;
  for (int row = 0; row < 4 * kQuads; ++row) {
    const int h = ho * kStride - a.pad_top + row;
    const bool inside = row < (kRows - 1) * kStride + kKernel && h >= 0 && h < a.h;
    rows.x[row] = inside ? a.x + static_cast<std::ptrdiff_t>(h * a.w % a.ring) * a.c : nullptr;
  }
  if (block.lanes == Q::Int8::kLanes)
    depthwise_strips_s8<Q, kKernel, kStride, kRows>(a, rows, block.first, tile);
  else
    depthwise_strips_s8<typename Q::Narrow, kKernel, kStride, kRows>(a, rows, block.first, tile);
}

/// Square windows of kKernel that slide by kStride both ways, weights in quads. Block after block of
/// channels: its weights and the rows that several output rows read stay in the L1 cache.
template <class Q, int kKernel, int kStride>
void depthwise_square_s8(const DepthwiseS8& a) {
  using V = typename Q::Int8;
  constexpr int kRows = rows_of_quads_s8(kKernel, kStride);
  constexpr int kTaps = kRows * quads_of_window_s8(kKernel, kStride) * kKernel * 4;
  constexpr int kLaneBytes = Q::kWeightBytes / V::kLanes;
  const bool looks_up_last = !LooksUpInRegisters<V> && a.table;
  const int blocks = count_depthwise_blocks_s8(Q::kLayout, a.c);
  int lane = 0;  // over all blocks
  for (int b = 0; b < blocks; ++b) {
    const DepthwiseBlockS8 block = depthwise_block_s8(Q::kLayout, a.c, b);
    DepthwiseTileS8 tile;
    tile.weight = a.weight + static_cast<std::ptrdiff_t>(lane) * kLaneBytes * kTaps / 4;
    tile.bias = a.bias + static_cast<std::ptrdiff_t>(lane) * kRows;
    tile.scale = a.m ? nullptr : a.scale + lane;
    tile.m = a.m ? a.m + lane : nullptr;
    tile.t = a.m ? a.t + lane : nullptr;
    tile.table = a.table;
    tile.y = a.y + block.first;
    tile.y_pixel = a.c;
    tile.y_row = static_cast<std::ptrdiff_t>(a.wo) * a.c;
    tile.clamps = a.to.lo > LINNET_INT8_MIN || a.to.hi < LINNET_INT8_MAX;
    tile.is_unsigned = a.y_is_unsigned && !looks_up_last;
    tile.channels = a.c - block.first < 4 * block.lanes ? a.c - block.first : 4 * block.lanes;
    lane += 4 * block.lanes;
    int ho = a.row_begin;
    for (; ho + kRows <= a.row_end; ho += kRows, tile.y += kRows * tile.y_row)
      depthwise_rows_s8<Q, kKernel, kStride, kRows>(a, ho, block, tile);
    if constexpr (kRows > 1) {
      if (ho < a.row_end) depthwise_rows_s8<Q, kKernel, kStride, 1>(a, ho, block, tile);
    }
  }
  if (!looks_up_last) return;
  std::ptrdiff_t rest = static_cast<std::ptrdiff_t>(a.row_end - a.row_begin) * a.wo * a.c;
  for (std::int8_t* p = a.y; rest > 0; p += 4 * V::kLanes, rest -= 4 * V::kLanes) {
    const int n = rest < 4 * V::kLanes ? static_cast<int>(rest) : 4 * V::kLanes;
    V::store_partial(p, stored_s8<V>(V::lookup(a.table, V::load_partial(p, n)), a.y_is_unsigned), n);
  }
}

}  // namespace
}  // namespace linnet::cpu
