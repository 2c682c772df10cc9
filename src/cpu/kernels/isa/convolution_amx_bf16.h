// Convolution of bfloat16 on AMX's tiles. Internal linkage: see finish_body.h.
//
// x is read as convolution_amx_s8.h reads it. What is left of the depth meets zeros on both sides: a weight
// of zero alone would make a number of none out of what lies behind a window.
#pragma once

#include "cpu/kernels/convolution/convolution_half_body.h"
#include "cpu/kernels/isa/dot_avx512_bf16.h"
#include "cpu/kernels/isa/products_amx.h"

namespace linnet::cpu::avx512_amx {
namespace {

constexpr HalfLayout kHalfLayout = {
    .width = 16, .narrow = 16, .group = 2, .converts = false, .chunk = kTileBytes / 2};

/// kRows rows of sums, without their biases, to y. offset: of the first, in y and in the residual.
template <int kRows, int kVectors>
inline void finish_rows(const ConvolutionHalf<Bf16>& a, const float* sums, const float* bias,
                        std::ptrdiff_t offset, int channels) {
  using V = avx512::F32;
  HalfSums<avx512_bf16::Dot, V, kRows, kVectors> row;
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j)
      row.acc[i][j] = V::load(sums + (i * kVectors + j) * V::kWidth) + V::load(bias + j * V::kWidth);
  if (a.residual) row.add(a.residual + offset, a.k, channels);
  apply_finish(a.finish, row.acc);
  if (a.real)
    row.store(a.real + offset, a.k, channels);
  else
    row.store(a.y + offset, a.k, channels);
}

/// Adds the biases to a call's sums and takes them to y.
class HalfEnd {
 public:
  explicit HalfEnd(const ConvolutionHalf<Bf16>& a) : a_(a) {}

  /// Tiles are of the pixels from `first` on.
  void begin_at(int first) { first_ = first; }

  __attribute__((noinline)) void finish(const FinishedRun& t) const {
    switch (t.vectors) {
      case 1: return finish_vectors<1>(t);
      case 2: return finish_vectors<2>(t);
      default: return finish_vectors<3>(t);
    }
  }

 private:
  template <int kVectors>
  void finish_vectors(const FinishedRun& t) const {
    constexpr int kWidth = kVectors * kHalfLayout.width;
    const int channels = a_.k - t.channel < kWidth ? a_.k - t.channel : kWidth;
    const auto* sums = reinterpret_cast<const float*>(t.sums);
    std::ptrdiff_t offset = std::ptrdiff_t{first_ + t.first} * a_.k + t.channel;
    int left = t.pixels;
    for (; left >= 4; left -= 4, sums += 4 * kWidth, offset += 4 * a_.k)
      finish_rows<4, kVectors>(a_, sums, a_.bias + t.channel, offset, channels);
    for (; left > 0; --left, sums += kWidth, offset += a_.k)
      finish_rows<1, kVectors>(a_, sums, a_.bias + t.channel, offset, channels);
  }

  const ConvolutionHalf<Bf16>& a_;
  int first_ = 0;
};

/// n values of x to y, and zeros to a whole chunk behind them.
inline void copy_chunked(const Bf16* x, int n, Bf16* y) {
  constexpr int kChunk = kHalfLayout.chunk;
  for (; n >= kChunk; n -= kChunk, x += kChunk, y += kChunk) _mm512_storeu_si512(y, _mm512_loadu_si512(x));
  if (n > 0) _mm512_storeu_si512(y, _mm512_maskz_loadu_epi16((__mmask32{1} << n) - 1, x));
}

void convolution_bf16(const ConvolutionHalf<Bf16>& a) {
  constexpr int kChunk = kHalfLayout.chunk;
  const int depth = a.runs * a.run;
  const int row = packed_run_half(kHalfLayout, depth);
  const int block = chunked_pixels_half(kHalfLayout, depth);
  const int tail = depth % kChunk;
  auto* const scratch = reinterpret_cast<Bf16*>(a.scratch);
  const int vectors = kHalfPanelVectors * (a.panel_end - a.panel_begin);
  HalfEnd to_y(a);
  TilePipeline<TileBf16, HalfEnd> pipeline(to_y);
  int configured = 0;
  for (int begin = 0; begin < a.pixels; begin += block) {
    const int pixels = a.pixels - begin < block ? a.pixels - begin : block;
    const Bf16* const x = a.x + begin * a.x_pixel;
    TileOperands o = {};
    if (a.runs == 1) {
      o.x = reinterpret_cast<const std::byte*>(x);
      o.x_pixel = 2 * a.x_pixel;
      o.chunks = depth / kChunk;
      if (tail) {
        for (int i = 0; i < pixels; ++i)
          copy_chunked(x + i * a.x_pixel + depth - tail, tail, scratch + i * kChunk);
        o.tail = a.scratch;
      }
    } else {
      for (int i = 0; i < pixels; ++i) {
        Bf16* const y = scratch + std::ptrdiff_t{i} * row;
        if (tail) _mm512_storeu_si512(y + row - kChunk, _mm512_setzero_si512());
        for (int r = 0; r < a.runs; ++r) copy_chunked(x + i * a.x_pixel + r * a.x_run, a.run, y + r * a.run);
      }
      o.x = a.scratch;
      o.x_pixel = std::ptrdiff_t{2} * row;
      o.chunks = row / kChunk;
    }
    const int rows = choose_rows(pixels, vectors * (row / kChunk));
    if (rows != configured) configure_tiles(configured = rows);
    to_y.begin_at(begin);
    for (int p = a.panel_begin; p < a.panel_end; ++p) {
      const HalfPanel panel = panel_half(kHalfLayout, a.k, p);
      o.weight =
          reinterpret_cast<const std::byte*>(a.packed + static_cast<std::ptrdiff_t>(panel.first) * row);
      o.vectors = panel.vectors;
      pipeline.multiply(o, panel.first, pixels, rows);
    }
    pipeline.flush();
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_amx
