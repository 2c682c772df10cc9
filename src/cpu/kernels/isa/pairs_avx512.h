// Rows of bfloat16 in the orders that products of pairs read. Internal linkage: see finish_body.h.
#pragma once

#include <immintrin.h>

#include "cpu/kernels/gradient/products_bf16.h"

namespace linnet::cpu::avx512_bf16 {
namespace {

/// The two of 16 float32 each, rounded, in turn: a0 b0 a1 b1 …
inline __m512i pairs_of(__m512 a, __m512 b) {
  const __m512i low = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(a)));
  const __m512i high = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(b)));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// 16 channels of two rows, in turn.
inline __m512i pairs_of(const Bf16* a, const Bf16* b) {
  const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)));
  const __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// Sixteen rows of sixteen dwords become sixteen columns.
inline __attribute__((always_inline)) void transpose(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  // r[4 q + j]: of rows 4 q to 4 q + 3, columns j, 4 + j, 8 + j, 12 + j
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    r[4 * q] = _mm512_unpacklo_epi64(t[4 * q], t[4 * q + 2]);
    r[4 * q + 1] = _mm512_unpackhi_epi64(t[4 * q], t[4 * q + 2]);
    r[4 * q + 2] = _mm512_unpacklo_epi64(t[4 * q + 1], t[4 * q + 3]);
    r[4 * q + 3] = _mm512_unpackhi_epi64(t[4 * q + 1], t[4 * q + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i low = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88);        // columns j, 8 + j
    const __m512i high = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd);       // columns 4 + j, 12 + j
    const __m512i low2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);  // the same of rows 8 to 15
    const __m512i high2 = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
    t[j] = _mm512_shuffle_i32x4(low, low2, 0x88);
    t[8 + j] = _mm512_shuffle_i32x4(low, low2, 0xdd);
    t[4 + j] = _mm512_shuffle_i32x4(high, high2, 0x88);
    t[12 + j] = _mm512_shuffle_i32x4(high, high2, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

inline __mmask16 first_lanes(int n) {
  return n >= 16 ? __mmask16{0xffff} : n <= 0 ? __mmask16{0} : static_cast<__mmask16>((1u << n) - 1u);
}

/// One panel of PackBf16, weight [k, depth]: 16 channels by 32 of depth at a time.
inline void pack_panel(const PackBf16& a, int first, Bf16* packed) {
  const int depth = whole_depth_bf16(a.depth);
  for (int half = 0; half < kBf16Channels; half += 16) {
    for (int d = 0; d < depth; d += 32) {
      __m512i rows[16];
      const __mmask16 low = first_lanes(a.depth - d);
      const __mmask16 high = first_lanes(a.depth - d - 16);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        const int k = first + half + i;
        const float* w = a.weight + static_cast<std::ptrdiff_t>(k < a.k ? k : 0) * a.depth + d;
        const __m512 x = _mm512_maskz_loadu_ps(k < a.k ? low : __mmask16{0}, w);
        const __m512 y = _mm512_maskz_loadu_ps(k < a.k ? high : __mmask16{0}, w + 16);
        rows[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y, x));
      }
      transpose(rows);
      Bf16* to = packed + (d * kBf16Channels + half * 2);
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * 2 * kBf16Channels, rows[i]);
    }
  }
}

/// The same of weight [depth, k].
inline void pack_panel_transposed(const PackBf16& a, int first, Bf16* packed) {
  const int depth = whole_depth_bf16(a.depth);
  for (int half = 0; half < kBf16Channels; half += 16) {
    const __mmask16 inside = first_lanes(a.k - first - half);
    Bf16* to = packed + half * 2;
    for (int d = 0; d < depth; d += 2, to += 2 * kBf16Channels) {
      const float* w = a.weight + static_cast<std::ptrdiff_t>(d) * a.k + first + half;
      const __m512 x = d < a.depth ? _mm512_maskz_loadu_ps(inside, w) : _mm512_setzero_ps();
      const __m512 y = d + 1 < a.depth ? _mm512_maskz_loadu_ps(inside, w + a.k) : _mm512_setzero_ps();
      _mm512_storeu_si512(to, pairs_of(x, y));
    }
  }
}

inline void pack(const PackBf16& a) {
  for (int panel = a.panel_begin; panel < a.panel_end; ++panel) {
    const int first = panel * kBf16Channels;
    Bf16* const packed = a.packed + static_cast<std::ptrdiff_t>(first) * whole_depth_bf16(a.depth);
    if (a.transposed)
      pack_panel_transposed(a, first, packed);
    else
      pack_panel(a, first, packed);
  }
}

/// Channels [0, whole c) of rows in panels of 32 channels: [panel, whole pixels / 2, 32, 2]. Rows behind the
/// last pixel are zero.
inline void pairs_of_rows(const Bf16* x, std::ptrdiff_t x_pixel, int pixels, int c, Bf16* to) {
  const int whole = static_cast<int>(whole_rows_bf16(pixels));
  for (int panel = 0; panel < c; panel += kBf16Channels) {
    const Bf16* row = x + panel;
    int p = 0;
    for (; p + 2 <= pixels; p += 2, row += 2 * x_pixel, to += 2 * kBf16Channels) {
      _mm512_storeu_si512(to, pairs_of(row, row + x_pixel));
      _mm512_storeu_si512(to + kBf16Channels, pairs_of(row + 16, row + x_pixel + 16));
    }
    if (p < pixels) {
      for (int half = 0; half < kBf16Channels; half += 16)
        _mm512_storeu_si512(
            to + 2 * half,
            _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + half))));
      p += 2;
      to += 2 * kBf16Channels;
    }
    for (; p < whole; p += 2, to += 2 * kBf16Channels) {
      _mm512_storeu_si512(to, _mm512_setzero_si512());
      _mm512_storeu_si512(to + kBf16Channels, _mm512_setzero_si512());
    }
  }
}

}  // namespace
}  // namespace linnet::cpu::avx512_bf16
