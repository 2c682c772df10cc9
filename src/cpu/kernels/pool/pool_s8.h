// Global average pool of int8 values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "numerics/int8.h"

namespace linnet::cpu {

/// y[c] = linnet_average() of x[p, c] over all pixels, for channels [channel_begin, channel_end).
struct PoolS8 {
  const std::int8_t* x;  ///< [pixels, c]
  std::int8_t* y;        ///< [c]
  int pixels;            ///< times 255 below 2^31
  int c;
  int channel_begin;
  int channel_end;
  int zero_x;
  linnet_multiplier by;
  linnet_output to;
};

}  // namespace linnet::cpu
