// Two products of bfloat16 a lane in one instruction: AVX512_BF16.
#pragma once

#include "cpu/kernels/isa/vector_avx512.h"
#include "cpu/kernels/isa/vector_avx512_narrow.h"

namespace linnet::cpu::avx512_bf16 {
namespace {

/// Pairs of values along a run, which vdpbf16ps multiplies and adds to a float32.
struct Dot {
  using V = avx512::F32;
  using Narrow = avx512::NarrowF32;
  using Value = Bf16;
  using X = Bf16;
  using Broadcast = __m512i;
  static constexpr int kGroup = 2;

  static Broadcast broadcast(const Bf16* x) {
    int pair;
    __builtin_memcpy(&pair, x, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  /// The last of an odd run, and a zero.
  static Broadcast broadcast_last(const Bf16* x) { return _mm512_set1_epi32(x->bits); }
  static __m512i load_weights(V, const Bf16* w) { return _mm512_loadu_si512(w); }
  static __m256i load_weights(Narrow, const Bf16* w) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  }
  static V dot(Broadcast x, __m512i w, V sum) {
    return {_mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w))};
  }
  static Narrow dot(Broadcast x, __m256i w, Narrow sum) {
    return {_mm256_dpbf16_ps(sum.v, reinterpret_cast<__m256bh>(_mm512_castsi512_si256(x)),
                             reinterpret_cast<__m256bh>(w))};
  }
  static void store_pair(V a, V b, Bf16* y) {
    _mm512_storeu_si512(y, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b.v, a.v)));
  }
  static void store_pair(V a, V b, float* y) {
    a.store(y);
    b.store(y + V::kWidth);
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512_bf16
