// Depthwise layers of bfloat16 by vdpbf16ps: two rows of a column side by side are pairs, which one
// instruction multiplies by two weights. The row of an odd window that is left goes alone, beside zeros: no
// value outside a window reaches its sum, not even times zero.
//
// A tile is a few neighbouring output pixels by sixteen channels. For 3 x 3 at stride 1 it has two output
// rows, an even one and the odd one below: they share the pair in the middle, so the even one's first row is
// alone and the odd one's last. Every output is one chain in the order bias, column, pairs, row alone,
// wherever its tile begins.
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
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7,
                                         22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
}

constexpr Bf16 kZeroPixel[F32::kWidth] = {};

/// The input rows of a tile: [1, kKernel] of an odd output row, or of any where there are no even ones; [0,
/// kKernel - 1] of an even one. `inside` has all bits set, or none where the row lies outside the image and
/// is kZeroPixel.
template <int kKernel>
struct PairsRows {
  const Bf16* x[kKernel + 1];
  std::ptrdiff_t inside[kKernel + 1];
  bool clip;
  Bf16* even;  ///< where output goes
  Bf16* odd;
};

template <int kKernel, int kStride, int kPixels, bool kEven, bool kOdd, bool kClip>
void pairs_tile(const DepthwiseOf<Bf16>& a, const PairsRows<kKernel>& rows, int wo, int channel) {
  constexpr int kPairs = kKernel / 2;  // and a row alone
  constexpr int kOutputs = kEven + kOdd;
  const F32 bias = a.bias ? F32::load(a.bias + channel) : F32::zero();
  F32 acc[kOutputs * kPixels][1];
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs * kPixels; ++i) acc[i][0] = bias;
  // Those of an odd row, then of an even one: pack_depthwise_pairs().
  __m512i weight[kOutputs][kPairs + 1][kKernel];
#pragma GCC unroll 2
  for (int i = 0; i < kOutputs; ++i)
#pragma GCC unroll 8
    for (int p = 0; p <= kPairs; ++p)
#pragma GCC unroll 8
      for (int s = 0; s < kKernel; ++s) {
        const std::ptrdiff_t pair = ((kOdd ? i : 1) * (kPairs + 1) + p) * kKernel + s;
        weight[i][p][s] = _mm512_loadu_si512(a.weight + 2 * (pair * a.c + channel));
      }

  const int left = wo * kStride - a.pad_left;
#pragma GCC unroll 32
  for (int column = 0; column < (kPixels - 1) * kStride + kKernel; ++column) {
    if (kClip && (left + column < 0 || left + column >= a.w)) continue;
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(left + column) * a.c + channel;
    const auto load = [&](int row) {
      const Bf16* const p = rows.x[row] + (kClip ? at & rows.inside[row] : at);
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    };
    const auto multiply = [&](int output, int p, __m512i x) {
#pragma GCC unroll 8
      for (int j = 0; j < kPixels; ++j) {
        const int s = column - j * kStride;
        if (s < 0 || s >= kKernel) continue;
        __m512& sum = acc[output * kPixels + j][0].v;
        sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x),
                               reinterpret_cast<__m512bh>(weight[output][p][s]));
      }
    };
#pragma GCC unroll 2
    for (int p = 0; p < kPairs; ++p) {
      const __m512i x = interleave(load(2 * p + 1), load(2 * p + 2));
      multiply(0, p, x);
      if constexpr (kOutputs == 2) multiply(1, p, x);
    }
    if constexpr (kOdd) multiply(0, kPairs, _mm512_cvtepu16_epi32(load(kKernel)));
    if constexpr (kEven) multiply(kOutputs - 1, kPairs, _mm512_cvtepu16_epi32(load(0)));
  }
  apply_finish(a.finish, acc);
#pragma GCC unroll 16
  for (int i = 0; i < kOutputs * kPixels; ++i) {
    Bf16* const y = kOdd && i < kPixels ? rows.odd : rows.even;
    acc[i][0].store(y + static_cast<std::ptrdiff_t>(wo + i % kPixels) * a.c + channel);
  }
}

/// All channels of a tile; the last sixteen begin early enough to be whole.
template <int kKernel, int kStride, int kPixels, bool kEven, bool kOdd, bool kClip>
void pairs_channels(const DepthwiseOf<Bf16>& a, const PairsRows<kKernel>& rows, int wo) {
  int channel = 0;
  for (; channel + F32::kWidth <= a.c; channel += F32::kWidth)
    pairs_tile<kKernel, kStride, kPixels, kEven, kOdd, kClip>(a, rows, wo, channel);
  if (channel < a.c)
    pairs_tile<kKernel, kStride, kPixels, kEven, kOdd, kClip>(a, rows, wo, a.c - F32::kWidth);
}

/// Exactly `pixels` output pixels, 1 <= pixels <= kPixels.
template <int kKernel, int kStride, bool kEven, bool kOdd, int kPixels = kPairsPixels>
void pairs_pixels(const DepthwiseOf<Bf16>& a, const PairsRows<kKernel>& rows, int wo, int pixels) {
  if constexpr (kPixels > 1) {
    if (pixels < kPixels)
      return pairs_pixels<kKernel, kStride, kEven, kOdd, kPixels - 1>(a, rows, wo, pixels);
  }
  const int left = wo * kStride - a.pad_left;
  if (rows.clip || left < 0 || left + (kPixels - 1) * kStride + kKernel > a.w)
    pairs_channels<kKernel, kStride, kPixels, kEven, kOdd, true>(a, rows, wo);
  else
    pairs_channels<kKernel, kStride, kPixels, kEven, kOdd, false>(a, rows, wo);
}

/// The even output row above `odd` and it, or one of both.
template <int kKernel, int kStride, bool kEven, bool kOdd>
void pairs_rows(const DepthwiseOf<Bf16>& a, int odd) {
  PairsRows<kKernel> rows = {};
  for (int r = kEven ? 0 : 1; r <= (kOdd ? kKernel : kKernel - 1); ++r) {
    const int h = odd * kStride - a.pad_top + r - 1;
    const bool inside = h >= 0 && h < a.h;
    rows.x[r] = inside ? a.x + static_cast<std::ptrdiff_t>(h * a.w % a.ring) * a.c : kZeroPixel;
    rows.inside[r] = inside ? -1 : 0;
    rows.clip = rows.clip || !inside;
  }
  rows.odd = a.y + static_cast<std::ptrdiff_t>(odd - a.row_begin) * a.wo * a.c;
  rows.even = rows.odd - static_cast<std::ptrdiff_t>(a.wo) * a.c;
  int wo = 0;
  for (int tiles = (a.wo + kPairsPixels - 1) / kPairsPixels; tiles > 0; --tiles) {
    const int pixels = (a.wo - wo + tiles - 1) / tiles;
    pairs_pixels<kKernel, kStride, kEven, kOdd>(a, rows, wo, pixels);
    wo += pixels;
  }
}

/// Square windows of kKernel that slide by kStride both ways, kPairsChannels or more; weights of
/// pack_depthwise_pairs().
template <int kKernel, int kStride>
void depthwise_pairs(const DepthwiseOf<Bf16>& a) {
  int ho = a.row_begin;
  if constexpr (has_both_forms(kKernel, kStride)) {
    if (ho < a.row_end && ho % 2 != 0) pairs_rows<kKernel, kStride, false, true>(a, ho++);
    for (; ho + 2 <= a.row_end; ho += 2) pairs_rows<kKernel, kStride, true, true>(a, ho + 1);
    if (ho < a.row_end) pairs_rows<kKernel, kStride, true, false>(a, ho + 1);
  } else {
    for (; ho < a.row_end; ++ho) pairs_rows<kKernel, kStride, false, true>(a, ho);
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_bf16
