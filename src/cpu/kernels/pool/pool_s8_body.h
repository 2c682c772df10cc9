// The one body of pool_s8, over any ISA's Quads: four pixels are a quad. Internal linkage:
// see finish_body.h.
#pragma once

#include "cpu/kernels/elementwise/requantize_s8_body.h"
#include "cpu/kernels/pool/pool_s8.h"

namespace linnet::cpu {
namespace {

template <class Q>
void pool_s8(const PoolS8& a) {
  using V = typename Q::Int8;
  constexpr int kBlock = 4 * V::kLanes;
  const RequantizeS8<V> requantize(std::int64_t{a.pixels} * 255, a.by, a.to);
  const int quads = (a.pixels + 3) / 4;
  const typename V::S8 zero_x = V::set(static_cast<std::int8_t>(a.zero_x));
  // What the zero points add, and the offsets of quads.
  const typename V::I32 zero =
      V::set(quads * (4 * a.zero_x + 2 * (Q::kLayout.offset_even + Q::kLayout.offset_odd)));
  for (int channel = a.channel_begin; channel < a.channel_end; channel += kBlock) {
    const int n = a.channel_end - channel < kBlock ? a.channel_end - channel : kBlock;
    const std::int8_t* x = a.x + channel;
    typename V::I32 sum[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sum[v] = V::set(std::int32_t{0});
    for (int q = 0; q < quads; ++q) {
      typename V::S8 rows[4], made[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        rows[i] = 4 * q + i >= a.pixels ? zero_x : n == kBlock ? V::load(x) : V::load_partial(x, n);
        x += 4 * q + i >= a.pixels ? 0 : a.c;
      }
      Q::interleave(rows, made);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sum[v] = Q::add_up(sum[v], made[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sum[v] = V::sub(sum[v], zero);
    V::store_partial(a.y + channel, requantize(sum), n);
  }
}

}  // namespace
}  // namespace linnet::cpu
