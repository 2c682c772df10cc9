// convolution_s8 on AMX's tiles. Internal linkage: see finish_body.h.
//
// x is read where it lies, in chunks of 64 bytes of depth, but for what is left of the depth, which is copied
// with zeros behind it; windows of several runs are copied whole.
#pragma once

#include "cpu/kernels/convolution/convolution_s8_body.h"
#include "cpu/kernels/isa/products_amx.h"
#include "numerics/int8_avx512.h"

namespace linnet::cpu::avx512_amx {
namespace {

struct Dot {
  using Int8 = numerics::avx512::Int8;
  static constexpr ConvolutionLayoutS8 kLayout = {.lanes = 16,
                                                  .vectors = 4,
                                                  .group = 4,
                                                  .halves = false,
                                                  .narrows = false,
                                                  .bytes = 1,
                                                  .offset = 0,
                                                  .chunk = kTileBytes};
  static inline Int8::I32 set(std::int32_t v) { return _mm512_set1_epi32(v); }
  static inline Int8::I32 sub(Int8::I32 a, Int8::I32 b) { return _mm512_sub_epi32(a, b); }
  /// n values of x to y. May write 64 bytes behind: zeros.
  static inline void gather(const std::int8_t* x, int n, std::byte* y) {
    int i = 0;
    for (; i + 64 <= n; i += 64) _mm512_storeu_si512(y + i, _mm512_loadu_si512(x + i));
    if (i < n) _mm512_storeu_si512(y + i, Int8::load_partial(x + i, n - i));
  }
  /// Sixteen values likewise.
  static inline void gather_sixteen(const std::int8_t* x, std::byte* y) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y), _mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
  }
};

using V = Dot::Int8;

/// `rows` rows of sums to bytes: requantized by the float form, limited.
template <int kVectors>
inline void requantize_rows(const std::int32_t* sums, int rows, const float* scales,
                            const TileStoreS8<V, kVectors>& store, bool clamps, const V::Output& to,
                            std::int8_t* y) {
  constexpr int kTogether = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;  // rows that fill a pack()
  V::F32 scale[kVectors];
  for (int j = 0; j < kVectors; ++j) scale[j] = V::load(scales + j * V::kLanes);
  for (int i = 0; i < rows; i += kTogether, sums += kTogether * kVectors * V::kLanes) {
    V::I32 v[4];
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n)  // behind the last row are bytes of the buffer, which nobody stores
      v[n] = n < kTogether * kVectors ? V::scale(V::load(sums + n * V::kLanes), scale[n % kVectors], to)
                                      : v[n - 1];
    V::S8 bytes = V::compact<kVectors>(V::pack(v[0], v[1], v[2], v[3]));
    if (clamps) bytes = V::clamp(bytes, to);
    store.row(y, V::part<kVectors, 0>(bytes), i + 1 == rows);
    if constexpr (kTogether > 1) {
      if (i + 1 < rows) store.row(y + store.y_pixel, V::part<kVectors, 1>(bytes), i + 2 == rows);
    }
    if constexpr (kTogether > 2) {
      if (i + 2 < rows) store.row(y + 2 * store.y_pixel, V::part<kVectors, 2>(bytes), i + 3 == rows);
      if (i + 3 < rows) store.row(y + 3 * store.y_pixel, V::part<kVectors, 3>(bytes), i + 4 == rows);
    }
    y += kTogether * store.y_pixel;
  }
}

/// One panel for `pixels` pixels, which a.y's pixel `first` begins. x_sums: of the gathered x a pixel, or
/// nullptr.
template <int kVectors>
void convolution_panel(const ConvolutionS8& a, const TileEndS8<Dot>& tile_end, const TileOperands& o,
                       int lane, int first, int pixels, int rows, const std::int32_t* x_sums) {
  constexpr int kTiles = row_tiles(kVectors);
  constexpr int kRowBytes = 4 * V::kLanes;
  // Behind the sums a vector that requantize_rows() may read.
  alignas(64) std::int32_t sums[(kBlockSumsBytes + 4 * kTileBytes) / sizeof(std::int32_t)];
  alignas(64) std::int8_t bytes[kTileRows * kRowBytes];
  const int channels = a.k - lane < kVectors * V::kLanes ? a.k - lane : kVectors * V::kLanes;
  const bool clamps = a.to.lo > LINNET_INT8_MIN || a.to.hi < LINNET_INT8_MAX;
  const bool is_raw = a.m || x_sums;
  const bool is_usual = !is_raw && !a.residual.x && !a.table;
  const TileStoreS8<V, kVectors> store = {a.k, channels, kVectors * V::kLanes == channels};
  const TileStoreS8<V, kVectors> store_bytes = {kRowBytes, kVectors * V::kLanes, true};
  for_blocks<kTiles>(pixels, rows, [&](const int* pixel, int tiles, const int* begin) {
    multiply_block<TileS8, kVectors>(o, pixel, tiles, rows, reinterpret_cast<std::byte*>(sums));
    for (int i = 0; i < tiles; ++i) {
      const int count = pixel[i] + rows - begin[i];
      const std::int32_t* const from = sums + (i * rows + begin[i] - pixel[i]) * kVectors * V::kLanes;
      const std::ptrdiff_t offset = std::ptrdiff_t{first + begin[i]} * a.k + lane;
      if (is_usual) {
        requantize_rows<kVectors>(from, count, a.scale + lane, store, clamps, tile_end.to(), a.y + offset);
        continue;
      }
      if (is_raw)
        tile_end.requantize(from, count, kVectors, false, lane, x_sums ? x_sums + begin[i] : nullptr, bytes);
      else
        requantize_rows<kVectors>(from, count, a.scale + lane, store_bytes, clamps, tile_end.to(), bytes);
      tile_end.finish(bytes, count, offset, channels);
    }
  });
}

/// What is left of the depth behind whole chunks, of the pixels [begin, end), to a.scratch.
inline void gather_tails(const ConvolutionS8& a, int begin, int end, int tail) {
  const std::int8_t* x = a.x + begin * a.x_pixel + (a.run - tail);
  std::byte* y = a.scratch;
  for (int i = begin; i < end; ++i, x += a.x_pixel, y += kTileBytes)
    _mm512_storeu_si512(y, V::load_partial(x, tail));
}

void convolution_s8(const ConvolutionS8& a) {
  const int depth = a.runs * a.run;
  const std::ptrdiff_t row = padded_depth_s8(Dot::kLayout, depth);
  const int block = convolution_block_s8(Dot::kLayout, depth, a.pixels);
  std::int32_t* const x_sums =
      a.zero_w
          ? reinterpret_cast<std::int32_t*>(a.scratch + (block * row + kConvolutionSlackS8 + 63) / 64 * 64)
          : nullptr;
  const TileEndS8<Dot> tile_end(a);
  const int panel_vectors = Dot::kLayout.vectors * (a.panel_end - a.panel_begin);
  int configured = 0;
  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    TileOperands o = {};
    const int tail = depth % kTileBytes;
    if (a.runs == 1) {
      o.x = reinterpret_cast<const std::byte*>(a.x + begin * a.x_pixel);
      o.x_pixel = a.x_pixel;
      o.chunks = depth / kTileBytes;
      if (tail) {
        gather_tails(a, begin, end, tail);
        o.tail = a.scratch;
      }
    } else {
      gather_windows_s8<Dot>(a, begin, end, row);
      o.x = a.scratch;
      o.x_pixel = row;
      o.chunks = static_cast<int>(row / kTileBytes);
    }
    if (x_sums) sum_windows_s8(a, Dot::kLayout.offset, begin, end, x_sums);
    const int pixels = end - begin;
    const int rows = choose_rows(pixels, panel_vectors * (row / kTileBytes));
    if (rows != configured) configure_tiles(configured = rows);
    for (int p = a.panel_begin; p < a.panel_end; ++p) {
      const PanelS8 panel = panel_s8(Dot::kLayout, a.k, p);
      const int lane = panel.first * V::kLanes;
      o.weight = a.weight + lane * row;
      o.vectors = panel.vectors;
      o.bias = a.bias + lane;
      switch (panel.vectors) {
        case 1: convolution_panel<1>(a, tile_end, o, lane, begin, pixels, rows, x_sums); break;
        case 2: convolution_panel<2>(a, tile_end, o, lane, begin, pixels, rows, x_sums); break;
        case 3: convolution_panel<3>(a, tile_end, o, lane, begin, pixels, rows, x_sums); break;
        default: convolution_panel<4>(a, tile_end, o, lane, begin, pixels, rows, x_sums); break;
      }
    }
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_amx
