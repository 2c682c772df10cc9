// convolution_s8 in plain C++: dot products of int16 along the depth, which compilers know how to vectorise
// for the baseline of any machine (pmaddwd on x86-64). Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_s8.h"

namespace linnet::cpu {
namespace {

inline constexpr ConvolutionLayoutS8 kScalarLayoutS8 = {
    .lanes = 1, .vectors = 1, .group = 8, .halves = false, .bytes = 2, .offset = 0};

inline std::int8_t finish_scalar_s8(const ConvolutionS8& a, std::int32_t acc, int channel,
                                    std::ptrdiff_t at) {
  std::int8_t v = linnet_requantize(acc, {a.m[channel], a.t[channel]}, a.to);
  if (a.residual.x) {
    const ResidualS8& r = a.residual;
    const std::int8_t other = r.x[at];
    v = r.is_a ? linnet_add(other, r.zero_a, v, r.zero_b, r.by, r.to)
               : linnet_add(v, r.zero_a, other, r.zero_b, r.by, r.to);
  }
  return a.table ? linnet_lookup(a.table, v) : v;
}

/// Two pixels by two channels a loop, so that every load serves two products.
inline void scalar_tile_s8(const std::int16_t* __restrict x0, const std::int16_t* __restrict x1,
                           const std::int16_t* __restrict w0, const std::int16_t* __restrict w1, int depth,
                           std::int32_t (&acc)[4]) {
  std::int32_t a = 0, b = 0, c = 0, d = 0;
  for (int i = 0; i < depth; ++i) {
    a += x0[i] * w0[i];
    b += x0[i] * w1[i];
    c += x1[i] * w0[i];
    d += x1[i] * w1[i];
  }
  acc[0] = a, acc[1] = b, acc[2] = c, acc[3] = d;
}

inline void convolution_s8_scalar(const ConvolutionS8& a) {
  const int depth = padded_depth_s8(kScalarLayoutS8, a.runs * a.run);
  const int block = convolution_block_s8(kScalarLayoutS8, a.runs * a.run);
  auto* const gathered = reinterpret_cast<std::int16_t*>(a.scratch);
  const auto* const weight = reinterpret_cast<const std::int16_t*>(a.weight);
  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    for (int i = begin; i < end; ++i) {
      std::int16_t* y = gathered + std::ptrdiff_t{i - begin} * depth;
      const std::int16_t* const y_end = y + depth;
      for (int r = 0; r < a.runs; ++r, y += a.run) {
        const std::int8_t* const x = a.x + i * a.x_pixel + r * a.x_run;
        for (int d = 0; d < a.run; ++d) y[d] = x[d];
      }
      while (y < y_end) *y++ = 0;
    }
    for (int channel = a.panel_begin; channel < a.panel_end; channel += 2) {
      const bool pair = channel + 1 < a.panel_end;
      const std::int16_t* const w0 = weight + std::ptrdiff_t{channel} * depth;
      const std::int16_t* const w1 = pair ? w0 + depth : w0;
      for (int i = begin; i < end; i += 2) {
        const bool two = i + 1 < end;
        const std::int16_t* const x0 = gathered + std::ptrdiff_t{i - begin} * depth;
        const std::int16_t* const x1 = two ? x0 + depth : x0;
        std::int32_t acc[4];
        scalar_tile_s8(x0, x1, w0, w1, depth, acc);
        for (int row = 0; row < (two ? 2 : 1); ++row) {
          std::uint32_t sum = 0;
          if (a.zero_w)
            for (int d = 0; d < depth; ++d) sum += static_cast<std::uint32_t>(row ? x1[d] : x0[d]);
          const std::uint32_t folded = static_cast<std::uint32_t>(a.zero_w) * sum;
          const std::ptrdiff_t at = std::ptrdiff_t{i + row} * a.k + channel;
          for (int column = 0; column < (pair ? 2 : 1); ++column) {
            const std::uint32_t total = static_cast<std::uint32_t>(acc[2 * row + column]) - folded +
                                        static_cast<std::uint32_t>(a.bias[channel + column]);
            a.y[at + column] =
                finish_scalar_s8(a, static_cast<std::int32_t>(total), channel + column, at + column);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
