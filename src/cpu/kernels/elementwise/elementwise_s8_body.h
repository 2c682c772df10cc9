// The bodies of add_s8, multiply_s8, lookup_s8 and quantize_input_s8, over any ISA's Int8. Internal linkage:
// see finish_body.h.
#pragma once

#include "cpu/kernels/abilities_s8_body.h"
#include "cpu/kernels/elementwise/elementwise_s8.h"
#include "cpu/kernels/elementwise/requantize_s8_body.h"

namespace linnet::cpu {
namespace {

template <class V>
void add_s8(const AddS8& a) {
  constexpr int kBlock = 4 * V::kLanes;
  const typename V::Sum sum(a.zero_a, a.zero_b, a.by, a.to);
  std::ptrdiff_t i = 0;
  for (; i + kBlock <= a.n; i += kBlock) V::store(a.y + i, V::add(V::load(a.a + i), V::load(a.b + i), sum));
  if (i == a.n) return;
  const int rest = static_cast<int>(a.n - i);
  V::store_partial(a.y + i, V::add(V::load_partial(a.a + i, rest), V::load_partial(a.b + i, rest), sum),
                   rest);
}

/// Values [begin, begin + n) of the gate repeated for every pixel.
inline void repeat_gate_s8(const MultiplyS8& a, std::ptrdiff_t begin, int n, std::int8_t* y) {
  int from = static_cast<int>(begin % a.c);
  for (int i = 0; i < n; from = 0) {
    const int count = n - i < a.c - from ? n - i : a.c - from;
    __builtin_memcpy(y + i, a.gate + from, static_cast<std::size_t>(count));
    i += count;
  }
}

/// Blocks of x and gates, whole whatever the number of channels: those a period apart have the same channels.
/// gated_by(gates) gives what turns 4 * lanes bytes of x into bytes of y.
template <class V, class GatedBy>
inline __attribute__((always_inline)) void for_each_gated_block_s8(const MultiplyS8& a,
                                                                   const GatedBy& gated_by) {
  constexpr int kBlock = 4 * V::kLanes;
  int divisor = kBlock;
  while (a.c % divisor) divisor /= 2;
  const std::ptrdiff_t n = a.pixels * a.c, period = std::ptrdiff_t{a.c / divisor} * kBlock;
  for (std::ptrdiff_t first = 0; first < n && first < period; first += kBlock) {
    alignas(64) std::int8_t gates[kBlock];
    repeat_gate_s8(a, first, kBlock, gates);
    const auto gated = gated_by(V::load(gates));
    std::ptrdiff_t i = first;
    for (; i + kBlock <= n; i += period)
      V::store(a.y + i, stored_s8<V>(gated(V::load(a.x + i)), a.y_is_unsigned));
    if (i >= n) continue;
    const int rest = static_cast<int>(n - i);
    V::store_partial(a.y + i, stored_s8<V>(gated(V::load_partial(a.x + i, rest)), a.y_is_unsigned), rest);
  }
}

template <class V>
void multiply_widened_s8(const MultiplyS8& a) {
  const RequantizeS8<V> requantize(255 * 255, a.by, a.to);
  const typename V::I32 zero_x = V::set(a.zero_x), zero_gate = V::set(a.zero_gate);
  for_each_gated_block_s8<V>(a, [&](typename V::S8 gates) {
    struct Gated {
      const RequantizeS8<V>& requantize;
      typename V::I32 zero_x;
      typename V::I32 gate[4];
      typename V::S8 operator()(typename V::S8 x) const {
        typename V::I32 acc[4];
        V::widen(x, acc);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) acc[v] = V::product(V::sub(acc[v], zero_x), gate[v]);
        return requantize(acc);
      }
    };
    Gated gated = {requantize, zero_x, {}};
    V::widen(gates, gated.gate);
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) gated.gate[v] = V::sub(gated.gate[v], zero_gate);
    return gated;
  });
}

/// For gates that are 0 at -128, as those of a sigmoid are: gate + 128 is an unsigned byte. In a quad that is
/// 0 but for byte v it meets value v of each four values of x alone, so nothing needs widening.
template <class Q>
void multiply_quads_s8(const MultiplyS8& a) {
  using V = typename Q::Int8;
  const RequantizeS8<V> requantize(255 * 255, a.by, a.to);
  const typename V::S8 zero_x = V::set(static_cast<std::int8_t>(a.zero_x));
  for_each_gated_block_s8<V>(a, [&](typename V::S8 gates) {
    struct Gated {
      const RequantizeS8<V>& requantize;
      typename V::S8 gate[4];
      typename V::I32 bias[4];
      typename V::S8 operator()(typename V::S8 x) const {
        typename V::I32 acc[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) acc[v] = Q::multiply_add(bias[v], gate[v], x);
        return Q::turn(requantize(acc));
      }
    };
    Gated gated = {requantize, {}, {}};
    const typename V::I32 none = V::set(0);
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) {
      gated.gate[v] = Q::byte_of_quads(V::as_unsigned(gates), v);
      gated.bias[v] = V::sub(none, Q::multiply_add(none, gated.gate[v], zero_x));
    }
    return gated;
  });
}

template <class Q>
void multiply_s8(const MultiplyS8& a) {
  if constexpr (MultipliesUnsigned<Q>) {
    if (a.zero_gate == LINNET_INT8_MIN) return multiply_quads_s8<Q>(a);
  }
  multiply_widened_s8<typename Q::Int8>(a);
}

template <class V>
void lookup_s8(const LookupS8& a) {
  constexpr int kBlock = 4 * V::kLanes;
  std::ptrdiff_t i = 0;
  for (; i + kBlock <= a.n; i += kBlock) V::store(a.y + i, V::lookup(a.table, V::load(a.x + i)));
  if (i == a.n) return;
  const int rest = static_cast<int>(a.n - i);
  V::store_partial(a.y + i, V::lookup(a.table, V::load_partial(a.x + i, rest)), rest);
}

/// A block of 4 * lanes values.
template <class V>
inline __attribute__((always_inline)) typename V::S8 quantize_block_s8(const float* x, typename V::F32 factor,
                                                                       typename V::I32 zero) {
  typename V::I32 v[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) v[i] = V::add(V::nearest(V::load(x + i * V::kLanes), factor), zero);
  return V::in_order(V::pack(v[0], v[1], v[2], v[3]));
}

template <class V>
void quantize_input_s8(const QuantizeInputS8& a) {
  constexpr int kBlock = 4 * V::kLanes;
  const typename V::F32 factor = V::set(a.inverse_scale);
  const typename V::I32 zero = V::set(a.zero_point);
  std::ptrdiff_t i = 0;
  for (; i + kBlock <= a.n; i += kBlock) V::store(a.y + i, quantize_block_s8<V>(a.x + i, factor, zero));
  if (i == a.n) return;
  const int rest = static_cast<int>(a.n - i);
  float last[kBlock] = {};
  for (int j = 0; j < rest; ++j) last[j] = a.x[i + j];
  V::store_partial(a.y + i, quantize_block_s8<V>(last, factor, zero), rest);
}

}  // namespace
}  // namespace linnet::cpu
