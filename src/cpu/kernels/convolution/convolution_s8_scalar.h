// convolution_s8 in plain C++: loops that compilers know how to vectorise for the baseline of any machine (on
// x86-64 pmaddwd for the products of int16, mulpd for the requantization). Internal linkage: see
// finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_s8.h"

namespace linnet::cpu {
namespace {

inline constexpr ConvolutionLayoutS8 kScalarLayoutS8 = {
    .lanes = 1, .vectors = 1, .group = 8, .halves = false, .narrows = false, .bytes = 2, .offset = 0};

/// Two pixels by two channels, so that every load serves two products.
inline void scalar_tile_s8(const std::int16_t* __restrict x0, const std::int16_t* __restrict x1,
                           const std::int16_t* __restrict w0, const std::int16_t* __restrict w1, int depth,
                           std::int32_t* acc0, std::int32_t* acc1) {
  std::int32_t a = 0, b = 0, c = 0, d = 0;
  for (int i = 0; i < depth; ++i) {
    a += x0[i] * w0[i];
    b += x0[i] * w1[i];
    c += x1[i] * w0[i];
    d += x1[i] * w1[i];
  }
  acc0[0] = a, acc0[1] = b, acc1[0] = c, acc1[1] = d;
}

/// linnet_requantize() of n accumulators where linnet_is_exact_in_float(). In double the product is exact (24
/// bits by 24), and adding 1.5 * 2^52 rounds it once, as the float FMA does.
inline void scalar_requantize_in_float(const std::int32_t* __restrict acc, const float* __restrict scale,
                                       int n, linnet_output to, std::int8_t* __restrict y) {
  for (int i = 0; i < n; ++i) {
    const double sum = static_cast<double>(acc[i]) * static_cast<double>(scale[i]) + 0x1.8p52;
    const auto scaled = static_cast<std::int32_t>(__builtin_bit_cast(std::int64_t, sum)) + to.zero_point;
    const std::int32_t low = scaled < to.lo ? to.lo : scaled;
    y[i] = static_cast<std::int8_t>(low > to.hi ? to.hi : low);
  }
}

/// n channels of a pixel from `channel` on; y and the residual at `at`.
inline void scalar_finish_s8(const ConvolutionS8& a, const std::int32_t* acc, int channel, int n,
                             std::ptrdiff_t at) {
  std::int8_t v[64];
  if (a.m)
    for (int i = 0; i < n; ++i) v[i] = linnet_requantize(acc[i], {a.m[channel + i], a.t[channel + i]}, a.to);
  else
    scalar_requantize_in_float(acc, a.scale + channel, n, a.to, v);
  const ResidualS8& r = a.residual;
  if (r.x) {
    for (int i = 0; i < n; ++i)
      v[i] = r.is_a ? linnet_add(r.x[at + i], r.zero_a, v[i], r.zero_b, r.by, r.to)
                    : linnet_add(v[i], r.zero_a, r.x[at + i], r.zero_b, r.by, r.to);
  }
  if (a.table)
    for (int i = 0; i < n; ++i) v[i] = linnet_lookup(a.table, v[i]);
  for (int i = 0; i < n; ++i) a.y[at + i] = v[i];
}

/// One pixel's window as int16, zeros behind.
inline void scalar_gather_s8(const ConvolutionS8& a, int pixel, int depth, std::int16_t* y) {
  const std::int16_t* const end = y + depth;
  const std::int8_t* x = a.x + pixel * a.x_pixel;
  for (int r = 0; r < a.runs; ++r, x += a.x_run, y += a.run)
    for (int d = 0; d < a.run; ++d) y[d] = x[d];
  while (y < end) *y++ = 0;
}

inline void convolution_s8_scalar(const ConvolutionS8& a) {
  constexpr int kChunk = 64;  // channels whose accumulators wait to be finished together
  const int depth = padded_depth_s8(kScalarLayoutS8, a.runs * a.run);
  const int block = convolution_block_s8(kScalarLayoutS8, a.runs * a.run, a.pixels);
  auto* const gathered = reinterpret_cast<std::int16_t*>(a.scratch);
  const auto* const weight = reinterpret_cast<const std::int16_t*>(a.weight);
  std::int32_t acc[2][kChunk + 1];
  for (int begin = 0; begin < a.pixels; begin += block) {
    const int end = a.pixels - begin < block ? a.pixels : begin + block;
    for (int i = begin; i < end; ++i)
      scalar_gather_s8(a, i, depth, gathered + std::ptrdiff_t{i - begin} * depth);
    for (int first = a.panel_begin; first < a.panel_end; first += kChunk) {
      const int channels = a.panel_end - first < kChunk ? a.panel_end - first : kChunk;
      for (int i = begin; i < end; i += 2) {
        const std::int16_t* const x0 = gathered + std::ptrdiff_t{i - begin} * depth;
        const std::int16_t* const x1 = i + 1 < end ? x0 + depth : x0;
        for (int c = 0; c < channels; c += 2) {
          const std::int16_t* const w0 = weight + std::ptrdiff_t{first + c} * depth;
          scalar_tile_s8(x0, x1, w0, c + 1 < channels ? w0 + depth : w0, depth, acc[0] + c, acc[1] + c);
        }
        for (int row = 0; row < 2 && i + row < end; ++row) {
          std::uint32_t sum = 0;
          if (a.zero_w)
            for (int d = 0; d < depth; ++d) sum += static_cast<std::uint32_t>(row ? x1[d] : x0[d]);
          const std::uint32_t folded = static_cast<std::uint32_t>(a.zero_w) * sum;
          for (int c = 0; c < channels; ++c)
            acc[row][c] = static_cast<std::int32_t>(static_cast<std::uint32_t>(acc[row][c]) - folded +
                                                    static_cast<std::uint32_t>(a.bias[first + c]));
          scalar_finish_s8(a, acc[row], first, channels, std::ptrdiff_t{i + row} * a.k + first);
        }
      }
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
