// Element-wise int8 kernels and the pool in plain C++: the functions of numerics/ on one value after the
// other.
#pragma once

#include "cpu/kernels/elementwise/elementwise_s8.h"
#include "cpu/kernels/pool/pool_s8.h"
#include "numerics/multiplier.h"

namespace linnet::cpu::scalar {
namespace {

void add_s8(const AddS8& a) {
  for (std::ptrdiff_t i = 0; i < a.n; ++i)
    a.y[i] = linnet_add(a.a[i], a.zero_a, a.b[i], a.zero_b, a.by, a.to);
}

void multiply_s8(const MultiplyS8& a) {
  for (std::ptrdiff_t p = 0; p < a.pixels; ++p)
    for (int c = 0; c < a.c; ++c)
      a.y[p * a.c + c] = linnet_multiply(a.x[p * a.c + c], a.zero_x, a.gate[c], a.zero_gate, a.by, a.to);
}

void lookup_s8(const LookupS8& a) {
  for (std::ptrdiff_t i = 0; i < a.n; ++i) a.y[i] = linnet_lookup(a.table, a.x[i]);
}

void quantize_input_s8(const QuantizeInputS8& a) {
  for (std::ptrdiff_t i = 0; i < a.n; ++i)
    a.y[i] = numerics::quantize_real(a.x[i], a.inverse_scale, a.zero_point);
}

void pool_s8(const PoolS8& a) {
  constexpr int kBlock = 64;
  for (int channel = a.channel_begin; channel < a.channel_end; channel += kBlock) {
    const int n = a.channel_end - channel < kBlock ? a.channel_end - channel : kBlock;
    std::int32_t sum[kBlock] = {};
    for (int p = 0; p < a.pixels; ++p) {
      const std::int8_t* const x = a.x + static_cast<std::ptrdiff_t>(p) * a.c + channel;
      for (int i = 0; i < n; ++i) sum[i] += x[i];
    }
    for (int i = 0; i < n; ++i) a.y[channel + i] = linnet_average(sum[i], a.pixels, a.zero_x, a.by, a.to);
  }
}

}  // namespace
}  // namespace linnet::cpu::scalar
