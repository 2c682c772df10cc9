// The one body of depthwise_s8 on quads of columns, over an ISA's Quads. Internal linkage: see finish_body.h.
//
// A quad of columns holds four neighbouring pixels of one channel. A row of the image is turned into quads
// once, padding included, and serves every output row that reaches it; a strip of as many rows as a window
// has stays in the L1 cache. A vector is of neighbouring channels, so the weights of 3 x 3 stay in registers
// for a whole row, four outputs go through pack() together, and few channels waste few lanes.
//
// A window of 3 begins anywhere in a quad. Where it goes on in the next one, the bytes of both are put
// together, those of the second first, and the weights are in that order. One of 5 meets both quads.
#pragma once

#include "cpu/kernels/abilities_s8_body.h"
#include "cpu/kernels/depthwise/depthwise_s8.h"

namespace linnet::cpu {
namespace {

/// Quads of a strip, beside the one behind it: with four vectors of channels 4 KiB a row.
constexpr int kStripColumnsS8 = 16;

/// A vector of channels of one output row.
struct DepthwiseRowS8 {
  const std::int8_t* quads[5];  ///< of the rows of the window
  const std::byte* weight;
  const std::int32_t* bias;
  const float* scale;
  const std::int32_t* m;
  const std::int32_t* t;
  const std::int8_t* table;
  bool clamps;  ///< the output's limits are not int8's own
  bool is_unsigned;
  std::int8_t* y;  ///< or where pack()ed bytes go, every y_pixel of four pixels
  std::ptrdiff_t y_pixel;
  int pixels;
};

/// Where a vector's bytes go: to their pixels, or as they are until all four vectors of a wide block are
/// there.
enum class ColumnEnd { kPixels, kPacked };

/// Four pixels to y, or the first n of them.
template <class V>
inline __attribute__((always_inline)) void store_pixels_s8(std::int8_t* y, std::ptrdiff_t pixel,
                                                           typename V::S8 bytes, int n) {
  V::template store_first<1>(y, bytes);
  if (n > 1) V::template store_first<1>(y + pixel, V::template part<1, 1>(bytes));
  if (n > 2) V::template store_first<1>(y + 2 * pixel, V::template part<1, 2>(bytes));
  if (n > 3) V::template store_first<1>(y + 3 * pixel, V::template part<1, 3>(bytes));
}

/// Requantizes and stores up to four outputs.
template <class Q, ColumnEnd kEnd, bool kInFloat>
inline __attribute__((always_inline)) void finish_columns_s8(const DepthwiseRowS8& row,
                                                             const typename Q::Int8::I32* acc,
                                                             const typename Q::Int8::Output& to,
                                                             std::int8_t* y, int n) {
  using V = typename Q::Int8;
  const auto scaled = [&](int i) {
    if constexpr (kInFloat)
      return V::scale(acc[i], V::load(row.scale), to);
    else
      return V::scale(acc[i], V::load(row.m), V::load(row.t), to);
  };
  typename V::S8 bytes = V::pack(scaled(0), scaled(1), scaled(2), scaled(3));
  if (row.clamps) bytes = V::clamp(bytes, to);
  if (row.table) bytes = V::lookup(row.table, bytes);
  bytes = stored_s8<V>(bytes, row.is_unsigned);
  if constexpr (kEnd == ColumnEnd::kPacked)
    V::store(y, bytes);
  else
    store_pixels_s8<V>(y, row.y_pixel, V::in_order(bytes), n);
}

/// Windows of 3: the weights stay in registers.
template <class Q, int kStride, ColumnEnd kEnd, bool kInFloat>
__attribute__((noinline)) void depthwise_columns3_s8(const DepthwiseRowS8& row,
                                                     const typename Q::Int8::Output& to) {
  using V = typename Q::Int8;
  constexpr int kStarts = 4 / kStride;  ///< windows that begin in a quad
  constexpr int kQuadBytes = 4 * V::kLanes;
  typename Q::Weights w[3][kStarts];
#pragma GCC unroll 3
  for (int r = 0; r < 3; ++r)
#pragma GCC unroll 4
    for (int i = 0; i < kStarts; ++i)
      w[r][i] = Q::load_weights(row.weight + (r * kStarts + i) * Q::kWeightBytes);
  const typename V::I32 bias = V::load(row.bias);
  std::int8_t* y = row.y;
  std::ptrdiff_t at = 0;
  for (int pixels = row.pixels; pixels > 0; pixels -= 4, y += 4 * row.y_pixel) {
    typename V::I32 acc[4] = {bias, bias, bias, bias};
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r)
#pragma GCC unroll 2
      for (int q = 0; q < kStride; ++q) {
        const std::int8_t* const from = row.quads[r] + at + q * kQuadBytes;
        const typename Q::Quad x = V::load(from), both = Q::straddle(x, from + kQuadBytes);
#pragma GCC unroll 4
        for (int i = 0; i < kStarts; ++i)
          acc[q * kStarts + i] = Q::multiply_add(acc[q * kStarts + i], i * kStride < 2 ? x : both, w[r][i]);
      }
    at += kStride * kQuadBytes;
    finish_columns_s8<Q, kEnd, kInFloat>(row, acc, to, y, pixels);
  }
}

/// kGroups * 4 outputs of a window of 5: each weight is loaded once for all of them.
template <class Q, int kStride, int kGroups, ColumnEnd kEnd, bool kInFloat>
inline __attribute__((always_inline)) void depthwise_columns5_group_s8(const DepthwiseRowS8& row,
                                                                       std::ptrdiff_t at,
                                                                       const typename Q::Int8::Output& to,
                                                                       std::int8_t* y, int pixels) {
  using V = typename Q::Int8;
  constexpr int kStarts = 4 / kStride;
  constexpr int kQuads = kGroups * kStride;
  constexpr int kQuadBytes = 4 * V::kLanes;
  const typename V::I32 bias = V::load(row.bias);
  typename V::I32 acc[kGroups * 4];
#pragma GCC unroll 8
  for (int j = 0; j < kGroups * 4; ++j) acc[j] = bias;
  const std::byte* weight = row.weight;
#pragma GCC unroll 5
  for (int r = 0; r < 5; ++r) {
    typename Q::Quad x[kQuads + 1];
#pragma GCC unroll 5
    for (int q = 0; q <= kQuads; ++q) x[q] = V::load(row.quads[r] + at + q * kQuadBytes);
#pragma GCC unroll 4
    for (int i = 0; i < kStarts; ++i)
#pragma GCC unroll 2
      for (int part = 0; part < 2; ++part, weight += Q::kWeightBytes) {
        const typename Q::Weights w = Q::pin_weights(Q::load_weights(weight));
#pragma GCC unroll 4
        for (int q = 0; q < kQuads; ++q)
          acc[q * kStarts + i] = Q::multiply_add(acc[q * kStarts + i], x[q + part], w);
      }
  }
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; ++g)
    finish_columns_s8<Q, kEnd, kInFloat>(row, acc + 4 * g, to, y + 4 * g * row.y_pixel, pixels - 4 * g);
}

template <class Q, int kStride, ColumnEnd kEnd, bool kInFloat>
__attribute__((noinline)) void depthwise_columns5_s8(const DepthwiseRowS8& row,
                                                     const typename Q::Int8::Output& to) {
  constexpr int kQuadBytes = 4 * Q::Int8::kLanes;
  std::int8_t* y = row.y;
  std::ptrdiff_t at = 0;
  int pixels = row.pixels;
  for (; pixels > 4; pixels -= 8, y += 8 * row.y_pixel, at += 2 * kStride * kQuadBytes)
    depthwise_columns5_group_s8<Q, kStride, 2, kEnd, kInFloat>(row, at, to, y, pixels);
  if (pixels > 0) depthwise_columns5_group_s8<Q, kStride, 1, kEnd, kInFloat>(row, at, to, y, pixels);
}

template <class Q, int kKernel, int kStride, ColumnEnd kEnd>
void depthwise_columns_row_s8(const DepthwiseRowS8& row, linnet_output limits) {
  const typename Q::Int8::Output to(limits);
  if constexpr (kKernel == 3) {
    if (row.m) return depthwise_columns3_s8<Q, kStride, kEnd, false>(row, to);
    return depthwise_columns3_s8<Q, kStride, kEnd, true>(row, to);
  } else {
    if (row.m) return depthwise_columns5_s8<Q, kStride, kEnd, false>(row, to);
    return depthwise_columns5_s8<Q, kStride, kEnd, true>(row, to);
  }
}

/// Columns [begin, begin + 4 * quads) of the row at x as quads: a vector of channels from x on, or the four
/// of a wide block, each vector_bytes behind the one before. x is nullptr outside the image.
template <class Q, bool kWide>
void make_column_quads_s8(const std::int8_t* x, std::ptrdiff_t c, int w, int zero_x, int begin, int quads,
                          std::ptrdiff_t vector_bytes, std::int8_t* y) {
  using V = typename Q::Int8;
  constexpr int kQuadBytes = 4 * V::kLanes;
  const auto make = [&](const std::int8_t* p0, const std::int8_t* p1, const std::int8_t* p2,
                        const std::int8_t* p3) {
    if constexpr (kWide) {
      const typename V::S8 pixels[4] = {V::load(p0), V::load(p1), V::load(p2), V::load(p3)};
      typename V::S8 made[4];
      Q::interleave(pixels, made);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) V::store(y + v * vector_bytes, made[v]);
    } else {
      V::store(y, Q::columns(p0, p1, p2, p3));
    }
    y += kQuadBytes;
  };
  alignas(64) std::int8_t outside[kQuadBytes];
  V::store(outside, V::set(static_cast<std::int8_t>(zero_x)));
  const std::int8_t* const end = y + quads * kQuadBytes;
  const auto at = [&](int column) { return x && column >= 0 && column < w ? x + column * c : outside; };
  const auto make_clipped = [&](int count) {
    for (; count > 0 && y < end; --count, begin += 4)
      make(at(begin), at(begin + 1), at(begin + 2), at(begin + 3));
  };
  if (x) {
    make_clipped((3 - begin) / 4);  // until the first whole one; a begin above 0 needs none
    for (const std::int8_t* from = x + begin * c; begin + 4 <= w && y < end; begin += 4, from += 4 * c)
      make(from, from + c, from + 2 * c, from + 3 * c);
  }
  make_clipped(quads);
}

/// `pixels` pixels of a wide block from what its vectors left at `packed`.
template <class Q>
void store_wide_pixels_s8(const std::int8_t* packed, std::int8_t* y, std::ptrdiff_t y_pixel, int pixels) {
  using V = typename Q::Int8;
  constexpr int kBytes = 4 * V::kLanes;
  for (; pixels > 0; pixels -= 4, packed += 4 * kBytes, y += 4 * y_pixel) {
    const typename V::S8 bytes[4] = {V::load(packed), V::load(packed + kBytes), V::load(packed + 2 * kBytes),
                                     V::load(packed + 3 * kBytes)};
    typename V::S8 pixel[4];
    Q::to_pixels(bytes, pixel);
    V::store(y, pixel[0]);
    if (pixels > 1) V::store(y + y_pixel, pixel[1]);
    if (pixels > 2) V::store(y + 2 * y_pixel, pixel[2]);
    if (pixels > 3) V::store(y + 3 * y_pixel, pixel[3]);
  }
}

/// The vectors of channels [first, last) of a strip of output pixels of one output row after the other.
template <class Q, int kKernel, int kStride>
class DepthwiseStripS8 {
  using V = typename Q::Int8;
  using Narrow = typename Q::Narrow;
  static constexpr int kQuadBytes = 4 * V::kLanes;
  static constexpr std::ptrdiff_t kVectorBytes = (kStripColumnsS8 + 1) * kQuadBytes;

 public:
  static constexpr int kTogether = 4;  ///< vectors whose quads are made together: a cache line's
  static constexpr int kPixels = kStripColumnsS8 * 4 / kStride;  ///< at most

  DepthwiseStripS8(const DepthwiseS8& a, int first, int last, int wo, int pixels)
      : a_(a), first_(first), last_(last), wo_(wo), pixels_(pixels) {}

  void run() {
    const bool wide = is_wide_column_block_s8(Q::kLayout, a_.c, first_);
    int made = a_.row_begin * kStride - a_.pad_top;  // rows before this one are in the strip
    for (int ho = a_.row_begin; ho < a_.row_end; ++ho) {
      const int top = ho * kStride - a_.pad_top;
      for (; made < top + kKernel; ++made)
        make_row(made, quads_[(made - top + ho * kStride) % kKernel], wide);
      std::int8_t* const y = a_.y + (static_cast<std::ptrdiff_t>(ho - a_.row_begin) * a_.wo + wo_) * a_.c;
      for (int b = first_; b < last_; ++b) {
        const DepthwiseBlockS8 block = column_block_s8(Q::kLayout, a_.c, b);
        DepthwiseRowS8 row = row_of(ho, b);
        if (wide) {
          row.y = packed_ + (b - first_) * kQuadBytes;
          row.y_pixel = kQuadBytes;
          depthwise_columns_row_s8<Q, kKernel, kStride, ColumnEnd::kPacked>(row, a_.to);
          continue;
        }
        row.y = y + block.first;
        row.y_pixel = a_.c;
        if (block.lanes == V::kLanes)
          depthwise_columns_row_s8<Q, kKernel, kStride, ColumnEnd::kPixels>(row, a_.to);
        else
          depthwise_columns_row_s8<Narrow, kKernel, kStride, ColumnEnd::kPixels>(row, a_.to);
      }
      if (wide) store_wide_pixels_s8<Q>(packed_, y + first_ * V::kLanes, a_.c, pixels_);
    }
  }

 private:
  void make_row(int h, std::int8_t* y, bool wide) const {
    const std::int8_t* const x =
        h < 0 || h >= a_.h ? nullptr : a_.x + static_cast<std::ptrdiff_t>(h * a_.w % a_.ring) * a_.c;
    const int begin = wo_ * kStride - a_.pad_left, quads = (pixels_ + 3) / 4 * kStride + 1;
    const auto from = [&](int b) { return x ? x + column_block_s8(Q::kLayout, a_.c, b).first : nullptr; };
    if (wide) {
      make_column_quads_s8<Q, true>(from(first_), a_.c, a_.w, a_.zero_x, begin, quads, kVectorBytes, y);
      return;
    }
    for (int b = first_; b < last_; ++b, y += kVectorBytes)
      if (column_block_s8(Q::kLayout, a_.c, b).lanes == V::kLanes)
        make_column_quads_s8<Q, false>(from(b), a_.c, a_.w, a_.zero_x, begin, quads, 0, y);
      else
        make_column_quads_s8<Narrow, false>(from(b), a_.c, a_.w, a_.zero_x, begin, quads, 0, y);
  }

  DepthwiseRowS8 row_of(int ho, int b) const {
    const std::ptrdiff_t lane = first_column_lane_s8(Q::kLayout, a_.c, b);
    DepthwiseRowS8 row = {};
    for (int r = 0; r < kKernel; ++r)
      row.quads[r] = quads_[(ho * kStride + r) % kKernel] + (b - first_) * kVectorBytes;
    row.weight = a_.weight + lane * column_weights_s8(kKernel, kStride) * 4;
    row.bias = a_.bias + lane;
    row.scale = a_.m ? nullptr : a_.scale + lane;
    row.m = a_.m ? a_.m + lane : nullptr;
    row.t = a_.m ? a_.t + lane : nullptr;
    row.table = a_.table;
    row.clamps = a_.to.lo > LINNET_INT8_MIN || a_.to.hi < LINNET_INT8_MAX;
    row.is_unsigned = a_.y_is_unsigned;
    row.pixels = pixels_;
    return row;
  }

  const DepthwiseS8& a_;
  int first_;
  int last_;
  int wo_;
  int pixels_;
  alignas(64) std::int8_t quads_[kKernel][kTogether * kVectorBytes];
  alignas(64) std::int8_t packed_[kPixels * kQuadBytes];
};

/// Square windows of kKernel that slide by kStride both ways.
template <class Q, int kKernel, int kStride>
void depthwise_columns_s8(const DepthwiseS8& a) {
  using Strip = DepthwiseStripS8<Q, kKernel, kStride>;
  const int blocks = count_column_blocks_s8(Q::kLayout, a.c);
  const int strips = (a.wo + Strip::kPixels - 1) / Strip::kPixels;
  const int step = ((a.wo + strips - 1) / strips + 3) / 4 * 4;
  for (int first = 0; first < blocks; first += Strip::kTogether)
    for (int wo = 0; wo < a.wo; wo += step) {
      const int last = first + Strip::kTogether < blocks ? first + Strip::kTogether : blocks;
      Strip(a, first, last, wo, a.wo - wo < step ? a.wo - wo : step).run();
    }
}

}  // namespace
}  // namespace linnet::cpu
