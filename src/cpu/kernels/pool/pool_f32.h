// Global average pool.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// T: float, or half of one (half.h), whose sums are float32. y[c] = mean of x[p, c] over all pixels, for
/// channels [channel_begin, channel_end). Each channel is summed in the order of the pixels.
template <class T>
struct PoolOf {
  const T* x;  ///< [pixels, c]
  T* y;        ///< [c]
  std::ptrdiff_t pixels;
  int c;
  int channel_begin;
  int channel_end;
};

using PoolF32 = PoolOf<float>;

}  // namespace linnet::cpu
