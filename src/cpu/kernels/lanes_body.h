// Walks channels a few vectors at a time, the last ones as a part of a vector. Internal linkage: see
// finish_body.h.
#pragma once

namespace linnet::cpu {
namespace {

/// A vector, or its first n values. T: float, or half of one.
template <class V, bool kPartial>
struct Lanes {
  int n;
  template <class T>
  V load(const T* p) const {
    if constexpr (kPartial) return V::load_partial(p, n);
    return V::load(p);
  }
  template <class T>
  void store(V v, T* p) const {
    if constexpr (kPartial)
      v.store_partial(p, n);
    else
      v.store(p);
  }
};

/// Calls body.template run<vectors, partial>(channel, n) for groups of kVectors vectors of channels, then for
/// pairs, single ones and the part of one.
template <class V, int kVectors, class Body>
inline __attribute__((always_inline)) void for_each_channel_group(int c, const Body& body) {
  int channel = 0;
  for (; channel + kVectors * V::kWidth <= c; channel += kVectors * V::kWidth)
    body.template run<kVectors, false>(channel, V::kWidth);
  if constexpr (kVectors > 2) {
    for (; channel + 2 * V::kWidth <= c; channel += 2 * V::kWidth)
      body.template run<2, false>(channel, V::kWidth);
  }
  for (; channel + V::kWidth <= c; channel += V::kWidth) body.template run<1, false>(channel, V::kWidth);
  if constexpr (V::kWidth > 1) {
    if (channel < c) body.template run<1, true>(channel, c - channel);
  }
}

}  // namespace
}  // namespace linnet::cpu
