// The body of product_sums_f32, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/gradient/product_sums_f32.h"
#include "cpu/kernels/lanes_body.h"

namespace linnet::cpu {
namespace {

template <class V>
struct ProductSumsBody {
  const ProductSumsF32& a;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const Lanes<V, kPartial> lanes = {n};
    V sum[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) sum[j] = V::zero();
    for (std::ptrdiff_t p = 0; p < a.pixels; ++p)
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) {
        const std::ptrdiff_t i = p * a.c + channel + j * V::kWidth;
        sum[j] = fma(lanes.load(a.a + i), lanes.load(a.b + i), sum[j]);
      }
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) lanes.store(sum[j], a.sum + channel + j * V::kWidth);
  }
};

template <class V>
void product_sums_f32(const ProductSumsF32& a) {
  for_each_channel_group<V, 4>(a.c, ProductSumsBody<V>{a});
}

}  // namespace
}  // namespace linnet::cpu
