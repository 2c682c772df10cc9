// The one body of VectorForm, over any ISA's Int8.
#pragma once

#include "numerics/vectors.h"

namespace linnet::numerics {
namespace {

template <class V>
struct Body {
  static constexpr int kBlock = 4 * V::kLanes;

  template <class Scale>
  static typename V::S8 in_order(const typename V::Output& out, Scale scale) {
    return V::clamp(
        V::in_order(V::pack(scale(0), scale(V::kLanes), scale(2 * V::kLanes), scale(3 * V::kLanes))), out);
  }

  static void requantize_in_float(const int32_t* acc, const float* scale, linnet_output to, int blocks,
                                  int8_t* y) {
    const typename V::Output out(to);
    for (int i = 0; i < blocks * kBlock; i += kBlock)
      V::store(y + i, in_order(out, [&](int j) {
                 return V::scale(V::load(acc + i + j), V::load(scale + i + j), out);
               }));
  }
  static void requantize(const int32_t* acc, const int32_t* m, const int32_t* t, linnet_output to, int blocks,
                         int8_t* y) {
    const typename V::Output out(to);
    for (int i = 0; i < blocks * kBlock; i += kBlock)
      V::store(y + i, in_order(out, [&](int j) {
                 return V::scale(V::load(acc + i + j), V::load(m + i + j), V::load(t + i + j), out);
               }));
  }
  static void add(const int8_t* a, int32_t zero_a, const int8_t* b, int32_t zero_b, linnet_add_multiplier by,
                  linnet_output to, int blocks, int8_t* y) {
    const typename V::Sum sum(zero_a, zero_b, by, to);
    for (int i = 0; i < blocks * kBlock; i += kBlock)
      V::store(y + i, V::add(V::load(a + i), V::load(b + i), sum));
  }
  static void lookup(const int8_t* table, const int8_t* x, int blocks, int8_t* y) {
    for (int i = 0; i < blocks * kBlock; i += kBlock) V::store(y + i, V::lookup(table, V::load(x + i)));
  }
  static void pack_compact(const int32_t* values, int vectors, int8_t* y) {
    const auto vector = [&](int v) { return V::load(values + v * V::kLanes); };
    const auto packed = V::pack(vector(0), vector(1), vector(2), vector(3));
    switch (vectors) {
      case 1: {
        const auto bytes = V::template compact<1>(packed);
        V::template store_first<1>(y, V::template part<1, 0>(bytes));
        V::template store_first<1>(y + V::kLanes, V::template part<1, 1>(bytes));
        V::template store_first<1>(y + 2 * V::kLanes, V::template part<1, 2>(bytes));
        V::template store_first<1>(y + 3 * V::kLanes, V::template part<1, 3>(bytes));
        break;
      }
      case 2: {
        const auto bytes = V::template compact<2>(packed);
        V::template store_first<2>(y, V::template part<2, 0>(bytes));
        V::template store_first<2>(y + 2 * V::kLanes, V::template part<2, 1>(bytes));
        break;
      }
      case 3: V::template store_first<3>(y, V::template compact<3>(packed)); break;
      default: V::template store_first<4>(y, V::template compact<4>(packed)); break;
    }
  }
  static void copy_partial(const int8_t* x, int n, int8_t* y, int8_t* loaded) {
    const auto v = V::load_partial(x, n);
    V::store(loaded, v);
    V::store_partial(y, v, n);
  }

  static constexpr VectorForm form(const char* isa) {
    return {isa, V::kLanes, requantize_in_float, requantize, add, lookup, pack_compact, copy_partial};
  }
};

}  // namespace
}  // namespace linnet::numerics
