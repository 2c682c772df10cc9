// Products of tiles: what the int8 and the bfloat16 convolutions of AMX have in common. Internal linkage: see
// finish_body.h.
//
// A block is a few tiles of pixels by a few vectors of output channels, all of the depth. Its sums go to
// memory in the L1 cache, since registers cannot read a tile, and from there to y while the next block is
// multiplied. A tile is stored only where the next block needs its place: a store waits for the products
// before it, and lets none pass, so four stores in a row would add their time to the products'; between them
// they cost little.
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
  int vectors;  ///< of the panel
};

template <int kBegin, int kEnd, class F>
inline __attribute__((always_inline)) void unroll(const F& f) {
  if constexpr (kBegin < kEnd) {
    f.template operator()<kBegin>();
    unroll<kBegin + 1, kEnd>(f);
  }
}

/// Tiles of pixels that a block of a panel of so many vectors has: four accumulators where there are as many.
constexpr int row_tiles(int vectors) { return vectors == 1 ? 4 : vectors == 2 ? 2 : 1; }
constexpr int kMostTiles = 4;

/// Pixels one behind the other whose sums are in memory.
struct FinishedRun {
  const std::byte* sums;  ///< [pixels, vectors, 16]
  int vectors;
  int channel;  ///< of the layer, the panel's first
  int first;    ///< pixel
  int pixels;
};

/// Multiplies block after block. End: finish(const FinishedRun&), which takes sums to y.
template <class Op, class End>
class TilePipeline {
 public:
  explicit TilePipeline(const End& end) : end_(end) {}

  /// All `pixels` pixels of a panel, in tiles of `rows` rows, which are configured. The last tile ends with
  /// the pixels, and so repeats some of the one before it where they do not divide. finish() has not been
  /// called for all of them before flush().
  void multiply(const TileOperands& o, int channel, int pixels, int rows) {
    switch (o.vectors) {
      case 1: return blocks<1>(o, channel, pixels, rows);
      case 2: return blocks<2>(o, channel, pixels, rows);
      default: return blocks<3>(o, channel, pixels, rows);
    }
  }
  void flush() {
    unroll<0, kMostTiles>([&]<int i>() __attribute__((always_inline)) { store_waiting<i>(); });
    accumulators_ = 0;
    finish();
  }

 private:
  template <int kVectors>
  void blocks(const TileOperands& o, int channel, int pixels, int rows) {
    constexpr int kRowBytes = kVectors * kTileBytes;
    int pixel[kMostTiles];
    for (int next = 0; next < pixels;) {
      const int first = next;
      int tiles = 0;
      for (; tiles < row_tiles(kVectors) && next < pixels; ++tiles, next += rows)
        pixel[tiles] = next + rows <= pixels ? next : pixels - rows;
      if constexpr (kVectors == 3) {
        block<1, 3>(o, pixel);
      } else if constexpr (kVectors == 2) {
        if (tiles == 1)
          block<1, 2>(o, pixel);
        else
          block<2, 2>(o, pixel);
      } else {
        switch (tiles) {
          case 1: block<1, 1>(o, pixel); break;
          case 2: block<2, 1>(o, pixel); break;
          case 3: block<3, 1>(o, pixel); break;
          default: block<4, 1>(o, pixel); break;
        }
      }
      finish();
      // What the last tile repeats of the one before it lies between the two.
      const int whole = next <= pixels ? tiles : tiles - 1;
      runs_ = 0;
      if (whole > 0) runs_of_[runs_++] = {sums_, kVectors, channel, first, whole * rows};
      if (whole < tiles) {
        const int begin = first + whole * rows;
        runs_of_[runs_++] = {sums_ + (whole * rows + begin - pixel[whole]) * kRowBytes, kVectors, channel,
                             begin, pixels - begin};
      }
      accumulators_ = tiles * kVectors;
      row_bytes_ = kRowBytes;
      for (int i = 0; i < tiles; ++i)
        for (int j = 0; j < kVectors; ++j)
          places_[i * kVectors + j] = sums_ + i * rows * kRowBytes + j * kTileBytes;
    }
  }

  /// The products of kRowTiles x kVectors accumulators, tiles 0 to 3, in the place of those that wait there.
  template <int kRowTiles, int kVectors>
  inline __attribute__((always_inline)) void block(const TileOperands& o, const int* pixel) {
    const std::ptrdiff_t row = std::ptrdiff_t{kVectors} * kTileBytes;
    const std::byte* w = o.weight;
    const auto chunk = [&]<bool kFirst>(const std::byte* x, std::ptrdiff_t x_pixel)
        __attribute__((always_inline)) {
      unroll<0, kVectors>([&]<int j>() __attribute__((always_inline)) {
        load_tile<6 + j % 2>(w + j * kTileBytes, row);
        unroll<0, kRowTiles>([&]<int i>() __attribute__((always_inline)) {
          constexpr int kC = i * kVectors + j;
          constexpr int kA = 4 + i % 2;
          if constexpr (j == 0 || kRowTiles > 2) load_tile<kA>(x + pixel[i] * x_pixel, x_pixel);
          if constexpr (kFirst) {
            store_waiting<kC>();
            zero_tile<kC>();
          }
          Op::template multiply_add<kC, kA, 6 + j % 2>();
        });
      });
      w += kTileRows * row;
    };
    if (o.chunks > 0) {
      chunk.template operator()<true>(o.x, o.x_pixel);
      for (int c = 1; c < o.chunks; ++c) chunk.template operator()<false>(o.x + c * kTileBytes, o.x_pixel);
      if (o.tail) chunk.template operator()<false>(o.tail, kTileBytes);
    } else {
      chunk.template operator()<true>(o.tail, kTileBytes);
    }
    unroll<kRowTiles * kVectors, kMostTiles>([&]<int i>()
                                                 __attribute__((always_inline)) { store_waiting<i>(); });
  }

  template <int kTile>
  inline __attribute__((always_inline)) void store_waiting() {
    if (kTile < accumulators_) store_tile<kTile>(places_[kTile], row_bytes_);
  }

  void finish() {
    for (int i = 0; i < runs_; ++i) end_.finish(runs_of_[i]);
    runs_ = 0;
  }

  const End& end_;
  int accumulators_ = 0;  ///< of the block before, still in their tiles
  int runs_ = 0;          ///< of pixels of that block
  std::ptrdiff_t row_bytes_ = 0;
  std::byte* places_[4];
  FinishedRun runs_of_[2];
  /// One block's, and a vector behind them that may be read.
  alignas(64) std::byte sums_[(kMostTiles * kTileRows + 4) * kTileBytes];
};

/// Rows of a tile for `pixels` pixels and `products` tiles of weights: as even as they can be where that
/// saves more than it costs to configure them.
inline int choose_rows(int pixels, std::ptrdiff_t products) {
  const int tiles = (pixels + kTileRows - 1) / kTileRows;
  const int even = (pixels + tiles - 1) / tiles;
  constexpr int kConfigureCycles = 320;  // there and back
  return pixels < kTileRows || products * tiles * (kTileRows - even) > kConfigureCycles ? even : kTileRows;
}

}  // namespace
}  // namespace linnet::cpu::avx512_amx
