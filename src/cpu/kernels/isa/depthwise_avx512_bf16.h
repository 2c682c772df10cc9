// Depthwise layers of bfloat16 by vdpbf16ps: two rows of a column side by side are pairs, which one instruction
// multiplies by two weights. The last row of an odd window goes alone, beside zeros: no value outside a window reaches
// its sum, not even times zero.
//
// A tile is a few neighbouring output pixels by sixteen channels. Every output is one chain in the order bias, column,
// pair of rows, wherever its tile begins.
#pragma once

#include "cpu/kernels/depthwise/depthwise_f32.h"
#include "cpu/kernels/finish_body.h"
#include "cpu/kernels/isa/vector_avx512.h"

namespace linnet::cpu::avx512_bf16 {
namespace {

using avx512::F32;

/// Output pixels of a tile whose accumulators, all weights and what is being made of x fit the registers.
constexpr int kPairsPixels = 7;

/// (low[0], high[0], low[1], high[1], …)
inline __m512i interleave(__m256i low, __m256i high) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
}

template <int kKernel, int kStride, int kPixels, bool kClip>
void pairs_tile(const DepthwiseOf<Bf16>& a, const Bf16* const (&rows)[kKernel], int wo, int channel, Bf16* y) {
  constexpr int kPairs = kKernel / 2;  // and a row alone
  const F32 bias = a.bias ? F32::load(a.bias + channel) : F32::zero();
  F32 acc[kPixels][1];
#pragma GCC unroll 8
  for (int j = 0; j < kPixels; ++j) acc[j][0] = bias;
  __m512i weight[kPairs + 1][kKernel];
#pragma GCC unroll 8
  for (int p = 0; p <= kPairs; ++p)
#pragma GCC unroll 8
    for (int s = 0; s < kKernel; ++s)
      weight[p][s] =
          _mm512_loadu_si512(a.weight + 2 * (static_cast<std::ptrdiff_t>(p * kKernel + s) * a.c + channel));

  const int left = wo * kStride - a.pad_left;
#pragma GCC unroll 32
  for (int column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
    if (kClip && (left + column < 0 || left + column >= a.w)) continue;
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(left + column) * a.c + channel;
    const auto load = [&](int row) {
      if (kClip && !rows[row]) return _mm256_setzero_si256();
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[row] + at));
    };
#pragma GCC unroll 8
    for (int p = 0; p <= kPairs; ++p) {
      const __m512i x = p < kPairs ? interleave(load(2 * p), load(2 * p + 1)) : _mm512_cvtepu16_epi32(load(2 * p));
#pragma GCC unroll 8
      for (int j = 0; j < kPixels; ++j) {
        const int s = column - j * kStride;
        if (s < 0 || s >= kKernel) continue;
        acc[j][0].v = _mm512_dpbf16_ps(acc[j][0].v, reinterpret_cast<__m512bh>(x),
                                       reinterpret_cast<__m512bh>(weight[p][s]));
      }
    }
  }
  apply_finish(a.finish, acc);
#pragma GCC unroll 8
  for (int j = 0; j < kPixels; ++j) acc[j][0].store(y + static_cast<std::ptrdiff_t>(wo + j) * a.c + channel);
}

/// All channels of a tile; the last sixteen begin early enough to be whole.
template <int kKernel, int kStride, int kPixels, bool kClip>
void pairs_channels(const DepthwiseOf<Bf16>& a, const Bf16* const (&rows)[kKernel], int wo, Bf16* y) {
  int channel = 0;
  for (; channel + F32::kWidth <= a.c; channel += F32::kWidth)
    pairs_tile<kKernel, kStride, kPixels, kClip>(a, rows, wo, channel, y);
  if (channel < a.c) pairs_tile<kKernel, kStride, kPixels, kClip>(a, rows, wo, a.c - F32::kWidth, y);
}

/// Exactly `pixels` output pixels, 1 <= pixels <= kPixels.
template <int kKernel, int kStride, int kPixels>
void pairs_pixels(const DepthwiseOf<Bf16>& a, const Bf16* const (&rows)[kKernel], bool clip, int wo, int pixels,
                  Bf16* y) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels) return pairs_pixels<kKernel, kStride, kPixels - 1>(a, rows, clip, wo, pixels, y);
  }
  const int left = wo * kStride - a.pad_left;
  if (clip || left < 0 || left + (kPixels - 1) * kStride + kKernel > a.w)
    pairs_channels<kKernel, kStride, kPixels, true>(a, rows, wo, y);
  else
    pairs_channels<kKernel, kStride, kPixels, false>(a, rows, wo, y);
}

/// Square windows of kKernel that slide by kStride both ways, kPairsChannels or more; weights of
/// pack_depthwise_pairs().
template <int kKernel, int kStride>
void depthwise_pairs(const DepthwiseOf<Bf16>& a) {
  for (int ho = a.row_begin; ho < a.row_end; ++ho) {
    const Bf16* rows[kKernel];
    bool clip = false;
    for (int r = 0; r < kKernel; ++r) {
      const int h = ho * kStride - a.pad_top + r;
      const bool inside = h >= 0 && h < a.h;
      rows[r] = inside ? a.x + static_cast<std::ptrdiff_t>(h % a.ring) * a.w * a.c : nullptr;
      clip = clip || !inside;
    }
    Bf16* const y = a.y + static_cast<std::ptrdiff_t>(ho - a.row_begin) * a.wo * a.c;
    int wo = 0;
    for (int tiles = (a.wo + kPairsPixels - 1) / kPairsPixels; tiles > 0; --tiles) {
      const int pixels = (a.wo - wo + tiles - 1) / tiles;
      pairs_pixels<kKernel, kStride, kPairsPixels>(a, rows, clip, wo, pixels, y);
      wo += pixels;
    }
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_bf16
