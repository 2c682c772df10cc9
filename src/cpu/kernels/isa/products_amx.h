// Products of tiles: what the int8 and the bfloat16 convolutions of AMX have in common. Internal linkage: see
// finish_body.h.
//
// A block is a few tiles of pixels by a few vectors of output channels, all of the depth. Its sums go to
// memory in the L1 cache, since registers cannot read a tile; the caller takes them from there to y.
#pragma once

#include "cpu/kernels/isa/tiles_amx.h"

namespace linnet::cpu::avx512_amx {
namespace {

/// One panel of weights and the pixels that it meets. Chunks are kTileBytes of depth; the weights are packed
/// with zeros to whole chunks.
struct TileOperands {
  const std::byte* x;      ///< of pixel 0, read in whole chunks
  std::ptrdiff_t x_pixel;  ///< bytes
  int chunks;              ///< whole ones
  const std::byte* tail;   ///< [pixels, kTileBytes]: what is left of the depth, with zeros behind; or nullptr
  const std::byte* weight;
  int vectors;       ///< of the panel
  const void* bias;  ///< [vectors, 16] int32 or float32
};

template <int kBegin, int kEnd, class F>
inline __attribute__((always_inline)) void unroll(const F& f) {
  if constexpr (kBegin < kEnd) {
    f.template operator()<kBegin>();
    unroll<kBegin + 1, kEnd>(f);
  }
}

/// kRowTiles x kVectors accumulators, tiles 0 to 3: row tile i is of the pixels from pixel[i] on, vectors
/// from `first` on. sums: [row tile, row, vector of the panel, 16].
template <class Op, int kRowTiles, int kVectors>
inline __attribute__((always_inline)) void multiply_tiles(const TileOperands& o, const int* pixel, int rows,
                                                          int first, std::byte* sums) {
  static_assert(kRowTiles * kVectors <= 4 && (kRowTiles <= 2 || kVectors == 1));
  const std::ptrdiff_t row = std::ptrdiff_t{o.vectors} * kTileBytes;
  const std::byte* const bias = static_cast<const std::byte*>(o.bias) + first * kTileBytes;
  unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
    unroll<0, kVectors>([&]<int j>() __attribute__((always_inline)) {
      load_tile<i * kVectors + j>(bias + j * kTileBytes, 0);
    });
  });
  const std::byte* w = o.weight + first * kTileBytes;
  const auto chunk = [&](const std::byte* x, std::ptrdiff_t x_pixel) __attribute__((always_inline)) {
    if constexpr (kRowTiles <= 2) {
      unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
        load_tile<4 + i>(x + pixel[i] * x_pixel, x_pixel);
      });
      unroll<0, kVectors>([&]<int j>() __attribute__((always_inline)) {
        load_tile<6 + j % 2>(w + j * kTileBytes, row);
        unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
          Op::template multiply_add<i * kVectors + j, 4 + i, 6 + j % 2>();
        });
      });
    } else {
      load_tile<6>(w, row);
      unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
        load_tile<4 + i % 2>(x + pixel[i] * x_pixel, x_pixel);
        Op::template multiply_add<i, 4 + i % 2, 6>();
      });
    }
    w += kTileRows * row;
  };
  for (int c = 0; c < o.chunks; ++c) chunk(o.x + c * kTileBytes, o.x_pixel);
  if (o.tail) chunk(o.tail, kTileBytes);
  unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
    unroll<0, kVectors>([&]<int j>() __attribute__((always_inline)) {
      store_tile<i * kVectors + j>(sums + i * rows * row + (first + j) * kTileBytes, row);
    });
  });
}

/// Tiles of pixels that a block of a panel of so many vectors has: as many accumulators as there are tiles
/// for.
constexpr int row_tiles(int vectors) { return vectors == 1 ? 4 : vectors == 3 ? 1 : 2; }
/// Bytes of sums of any block.
constexpr int kBlockSumsBytes = 2 * 4 * kTileRows * kTileBytes;

/// A block of `tiles` tiles of pixels, at most row_tiles(kVectors).
template <class Op, int kVectors>
inline __attribute__((always_inline)) void multiply_block(const TileOperands& o, const int* pixel, int tiles,
                                                          int rows, std::byte* sums) {
  if constexpr (kVectors == 4) {
    if (tiles == 1) return multiply_tiles<Op, 1, 4>(o, pixel, rows, 0, sums);
    multiply_tiles<Op, 2, 2>(o, pixel, rows, 0, sums);
    multiply_tiles<Op, 2, 2>(o, pixel, rows, 2, sums);
  } else if constexpr (kVectors == 3) {
    multiply_tiles<Op, 1, 3>(o, pixel, rows, 0, sums);
  } else if constexpr (kVectors == 2) {
    if (tiles == 1) return multiply_tiles<Op, 1, 2>(o, pixel, rows, 0, sums);
    multiply_tiles<Op, 2, 2>(o, pixel, rows, 0, sums);
  } else {
    switch (tiles) {
      case 1: return multiply_tiles<Op, 1, 1>(o, pixel, rows, 0, sums);
      case 2: return multiply_tiles<Op, 2, 1>(o, pixel, rows, 0, sums);
      case 3: return multiply_tiles<Op, 3, 1>(o, pixel, rows, 0, sums);
      default: return multiply_tiles<Op, 4, 1>(o, pixel, rows, 0, sums);
    }
  }
}

/// Rows of a tile for `pixels` pixels and `products` tiles of weights: as even as they can be where that
/// saves more than it costs to configure them.
inline int choose_rows(int pixels, std::ptrdiff_t products) {
  const int tiles = (pixels + kTileRows - 1) / kTileRows;
  const int even = (pixels + tiles - 1) / tiles;
  constexpr int kConfigureCycles = 320;  // there and back
  return pixels < kTileRows || products * tiles * (kTileRows - even) > kConfigureCycles ? even : kTileRows;
}

/// Calls block(pixel, tiles, begin) for all blocks of up to kTiles tiles of `rows` rows: pixel[i] is the
/// first of tile i, of which the pixels from begin[i] on are new. The last tile ends with the pixels, and so
/// repeats some of the one before it where they do not divide.
template <int kTiles, class Block>
inline __attribute__((always_inline)) void for_blocks(int pixels, int rows, const Block& block) {
  int pixel[kTiles], begin[kTiles];
  for (int next = 0; next < pixels;) {
    int tiles = 0;
    for (; tiles < kTiles && next < pixels; ++tiles, next += rows) {
      begin[tiles] = next;
      pixel[tiles] = next + rows <= pixels ? next : pixels - rows;
    }
    block(pixel, tiles, begin);
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_amx
