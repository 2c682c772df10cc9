// convolution_s8 on AMX's tiles. Internal linkage: see finish_body.h.
//
// x is read where it lies, in chunks of 64 bytes of depth, but for what is left of the depth, which is copied
// with zeros behind it; windows of several runs are copied whole.
#pragma once

#include "cpu/kernels/convolution/convolution_s8_body.h"
#include "cpu/kernels/isa/products_amx.h"
#include "numerics/int8_avx512_vbmi.h"

namespace linnet::cpu::avx512_amx {
namespace {

struct Dot {
  using Int8 = numerics::avx512_vbmi::Int8;
  static constexpr ConvolutionLayoutS8 kLayout = {.lanes = 16,
                                                  .vectors = 2,
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

/// `rows` rows of sums, without their biases, to bytes: requantized by the float form, limited, looked up.
template <int kVectors, bool kTable>
inline void requantize_rows(const std::int32_t* sums, int rows, const std::int32_t* biases,
                            const float* scales, const TileStoreS8<V, kVectors>& store, bool clamps,
                            const std::int8_t* table, const V::Output& to, std::int8_t* y) {
  constexpr int kTogether = kVectors == 1 ? 4 : kVectors == 2 ? 2 : 1;  // rows that fill a pack()
  alignas(64) static constexpr std::int8_t kNoTable[256] = {};
  const V::Table entries(kTable ? table : kNoTable);
  V::F32 scale[kVectors];
  V::I32 bias[kVectors];
  for (int j = 0; j < kVectors; ++j) scale[j] = V::load(scales + j * V::kLanes);
  for (int j = 0; j < kVectors; ++j) bias[j] = V::load(biases + j * V::kLanes);
  const auto bytes_of = [&](const std::int32_t* from) __attribute__((always_inline)) {
    V::I32 v[4];
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) {  // behind the last row are bytes of the buffer, which nobody stores
      const int j = n % kVectors;
      v[n] = n < kTogether * kVectors ? V::scale(V::add(V::load(from + n * V::kLanes), bias[j]), scale[j], to)
                                      : v[n - 1];
    }
    const V::S8 bytes = V::compact<kVectors>(V::pack(v[0], v[1], v[2], v[3]));
    const V::S8 limited = clamps ? V::clamp(bytes, to) : bytes;
    return kTable ? V::lookup(entries, limited) : limited;
  };
  const auto next = [&] {
    sums += kTogether * kVectors * V::kLanes;
    y += kTogether * store.y_pixel;
    rows -= kTogether;
  };
  for (; rows > kTogether; next()) {
    const V::S8 bytes = bytes_of(sums);
    store.row(y, V::part<kVectors, 0>(bytes), false);
    if constexpr (kTogether > 1) store.row(y + store.y_pixel, V::part<kVectors, 1>(bytes), false);
    if constexpr (kTogether > 2) {
      store.row(y + 2 * store.y_pixel, V::part<kVectors, 2>(bytes), false);
      store.row(y + 3 * store.y_pixel, V::part<kVectors, 3>(bytes), false);
    }
  }
  const V::S8 bytes = bytes_of(sums);
  store.row(y, V::part<kVectors, 0>(bytes), rows == 1);
  if constexpr (kTogether > 1) {
    if (rows > 1) store.row(y + store.y_pixel, V::part<kVectors, 1>(bytes), rows == 2);
  }
  if constexpr (kTogether > 2) {
    if (rows > 2) store.row(y + 2 * store.y_pixel, V::part<kVectors, 2>(bytes), rows == 3);
    if (rows > 3) store.row(y + 3 * store.y_pixel, V::part<kVectors, 3>(bytes), rows == 4);
  }
}

/// Adds the biases to a call's sums and takes them to y.
class ConvolutionEnd {
 public:
  /// x_sums: of every pixel's window, where the weights have a zero point; else nullptr.
  ConvolutionEnd(const ConvolutionS8& a, const std::int32_t* x_sums) : a_(a), x_sums_(x_sums), tile_end_(a) {}

  /// Tiles are of the pixels from `first` on.
  void begin_at(int first) { first_ = first; }

  __attribute__((noinline)) void finish(const FinishedRun& t) const {
    switch (t.vectors) {
      case 1: return finish_vectors<1>(t);
      default: return finish_vectors<2>(t);
    }
  }

 private:
  template <int kVectors>
  void finish_vectors(const FinishedRun& t) const {
    constexpr int kWidth = kVectors * V::kLanes;
    const int channels = a_.k - t.channel < kWidth ? a_.k - t.channel : kWidth;
    const bool clamps = a_.to.lo > LINNET_INT8_MIN || a_.to.hi < LINNET_INT8_MAX;
    const auto* const sums = reinterpret_cast<const std::int32_t*>(t.sums);
    const std::ptrdiff_t offset = std::ptrdiff_t{first_ + t.first} * a_.k + t.channel;
    const bool is_raw = a_.m || x_sums_;
    const auto requantize = [&]<bool kTable>(const TileStoreS8<V, kVectors>& store, std::int8_t* y) {
      requantize_rows<kVectors, kTable>(sums, t.pixels, a_.bias + t.channel, a_.scale + t.channel, store,
                                        clamps, a_.table, tile_end_.to(), y);
    };
    if (!is_raw && !a_.residual.x) {
      const TileStoreS8<V, kVectors> store = {a_.k, channels, kWidth == channels};
      if (a_.table) return requantize.template operator()<true>(store, a_.y + offset);
      return requantize.template operator()<false>(store, a_.y + offset);
    }
    constexpr int kRowBytes = 4 * V::kLanes;
    alignas(64) std::int8_t bytes[kMostTiles * kTileRows * kRowBytes];
    if (is_raw) {
      alignas(64) std::int32_t raw[kMostTiles * kTileRows * V::kLanes];
      for (int i = 0; i < t.pixels; ++i)
        for (int j = 0; j < kVectors; ++j) {
          const int at = (i * kVectors + j) * V::kLanes;
          V::store(raw + at, V::add(V::load(sums + at), V::load(a_.bias + t.channel + j * V::kLanes)));
        }
      tile_end_.requantize(raw, t.pixels, kVectors, false, t.channel, x_sums_ ? x_sums_ + t.first : nullptr,
                           bytes);
    } else if (channels == a_.k) {  // rows follow one another without a gap, and are finished as one
      requantize.template operator()<false>({a_.k, channels, kWidth == channels}, bytes);
      return tile_end_.finish_contiguous(bytes, offset, t.pixels * channels);
    } else {
      requantize.template operator()<false>({kRowBytes, kWidth, true}, bytes);
    }
    tile_end_.finish(bytes, t.pixels, offset, channels);
  }

  const ConvolutionS8& a_;
  const std::int32_t* x_sums_;
  TileEndS8<Dot> tile_end_;
  int first_ = 0;
};

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
          ? reinterpret_cast<std::int32_t*>(
                a.scratch +
                (block * gathered_row_s8(Dot::kLayout, a.runs, depth) + kConvolutionSlackS8 + 63) / 64 * 64)
          : nullptr;
  ConvolutionEnd to_y(a, x_sums);
  TilePipeline<TileS8, ConvolutionEnd> pipeline(to_y);
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
    to_y.begin_at(begin);
    for (int p = a.panel_begin; p < a.panel_end; ++p) {
      const PanelS8 panel = panel_s8(Dot::kLayout, a.k, p);
      const int lane = panel.first * V::kLanes;
      o.weight = a.weight + lane * row;
      o.vectors = panel.vectors;
      pipeline.multiply(o, lane, pixels, rows);
    }
    pipeline.flush();
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_amx
