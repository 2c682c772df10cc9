// Global average pool.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// y[c] = mean of x[p, c] over all pixels, for channels [channel_begin, channel_end). Each channel is summed
/// in the order of the pixels.
struct PoolF32 {
  const float* x;  ///< [pixels, c]
  float* y;        ///< [c]
  std::ptrdiff_t pixels;
  int c;
  int channel_begin;
  int channel_end;
};

}  // namespace linnet::cpu
