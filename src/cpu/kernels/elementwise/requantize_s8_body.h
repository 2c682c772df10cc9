// One multiplier for all lanes, in the form that its accumulators allow. Internal linkage: see finish_body.h.
#pragma once

#include <cstdint>

#include "numerics/int8.h"

namespace linnet::cpu {
namespace {

/// linnet_requantize() of vectors whose values are at most `bound` in size.
template <class V>
class RequantizeS8 {
 public:
  RequantizeS8(std::int64_t bound, linnet_multiplier by, linnet_output to)
      : exact_(linnet_is_exact_in_float(bound, by)),
        // Both factors are exact: m has 24 bits, the other is a power of two.
        scale_(V::set(static_cast<float>(by.m) / static_cast<float>(std::int64_t{1} << by.t))),
        m_(V::set(by.m)),
        t_(V::set(by.t)),
        to_(to) {}

  /// Bytes in the order of V::pack().
  typename V::S8 operator()(const typename V::I32 (&acc)[4]) const {
    typename V::I32 v[4];
    if (exact_) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) v[i] = V::scale(acc[i], scale_, to_);
    } else {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) v[i] = V::scale(acc[i], m_, t_, to_);
    }
    return V::clamp(V::pack(v[0], v[1], v[2], v[3]), to_);
  }

 private:
  bool exact_;
  typename V::F32 scale_;
  typename V::I32 m_;
  typename V::I32 t_;
  typename V::Output to_;
};

}  // namespace
}  // namespace linnet::cpu
