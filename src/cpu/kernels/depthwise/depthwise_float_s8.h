// int8 depthwise layers on float32's tiles, over any ISA's vector type V and Int8. Internal linkage: see
// finish_body.h.
//
// Where every channel is exact in float, so is every partial sum: it is the accumulator of some input, an
// integer below 2^24. Float32's multiply-adds then give the int8 definition's sums, in any order.
#pragma once

#include "cpu/kernels/depthwise/depthwise_body.h"
#include "cpu/kernels/depthwise/depthwise_s8.h"

namespace linnet::cpu {
namespace {

template <class T, class Int8>
struct DepthwiseTypeS8 {
  using V = T;
  using Arguments = DepthwiseS8;
  using Value = std::int8_t;
  static constexpr bool kOverlap = true;  ///< the last vector begins early enough to be whole
  static constexpr bool kPads = true;     ///< with the zero point of x, which the bias holds for every tap

  /// Two rows more often than float32, whose inputs need no conversion.
  static constexpr int rows(int kernel, int stride) {
    const int most = max_depthwise_rows<V>(kernel, stride);
    return most == 1 && V::kRegisters == 32 ? 2 : most;
  }
  static constexpr int pixels(int kernel, int stride) { return max_depthwise_pixels<V>(kernel, stride); }

  template <bool kClip, bool kPartial>
  struct Lanes {
    static_assert(!kPartial);
    const DepthwiseS8& a;
    int channel;
    int n;

    const std::int8_t* padding() const { return reinterpret_cast<const std::int8_t*>(a.weight); }
    const float* biases() const {
      return reinterpret_cast<const float*>(a.weight + kDepthwisePaddingS8) + channel;
    }
    const float* weights() const { return biases() + a.c; }
    V bias() const { return V::load(biases()); }
    V load(const std::int8_t* p) const { return V::load(p); }
    V load_weights(const float* p) const { return V::load(p); }
    template <int kRows, int kPixels>
    void finish(V (&acc)[kRows * kPixels][1], std::int8_t* y) const {
      constexpr int kLast = kRows * kPixels - 1;
      const auto scale = Int8::load(a.scale + channel);
      const typename Int8::Output to(a.to);
      const auto scaled = [&](int i) { return Int8::scale(acc[i < kLast ? i : kLast][0].v, scale, to); };
#pragma GCC unroll 8
      for (int i = 0; i <= kLast; i += 4) {
        typename Int8::S8 bytes =
            Int8::clamp(Int8::pack(scaled(i), scaled(i + 1), scaled(i + 2), scaled(i + 3)), to);
        if (a.table) bytes = Int8::lookup(a.table, bytes);
        bytes = Int8::in_order(bytes);
        const auto store = [&](int at, typename Int8::S8 vector) {
          const std::ptrdiff_t to_pixel = static_cast<std::ptrdiff_t>(at / kPixels) * a.wo + at % kPixels;
          if (at <= kLast) Int8::template store_first<1>(y + to_pixel * a.c, vector);
        };
        store(i, bytes);
        store(i + 1, Int8::template part<1, 1>(bytes));
        store(i + 2, Int8::template part<1, 2>(bytes));
        store(i + 3, Int8::template part<1, 3>(bytes));
      }
    }
  };
};

}  // namespace
}  // namespace linnet::cpu
