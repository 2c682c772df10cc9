// TensorFlow Lite's requantization, which rounds twice: to compare with, never to compute with. It stands
// here for the tests that measure how far an imported model's own arithmetic lies from Linnet's.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace linnet::numerics {

/// A positive factor as TensorFlow Lite stores it: multiplier * 2^(shift - 31), multiplier in [2^30, 2^31).
struct TfliteMultiplier {
  std::int32_t multiplier;
  int shift;
};

inline TfliteMultiplier tflite_multiplier(double factor) {
  int shift = 0;
  const double fraction = std::frexp(factor, &shift);
  auto multiplier = static_cast<std::int64_t>(std::round(std::ldexp(fraction, 31)));
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  return {static_cast<std::int32_t>(multiplier), shift};
}

/// First rounding: the high half of the doubled product, to nearest, halves away from zero. Second: the right
/// shift, to nearest, halves away from zero. (gemmlowp, docs/quantization.md; TensorFlow Lite's reference
/// kernels)
inline std::int64_t tflite_scale(std::int32_t acc, TfliteMultiplier by) {
  const int left = by.shift > 0 ? by.shift : 0;
  const int right = by.shift > 0 ? 0 : -by.shift;
  const std::int64_t product = (std::int64_t{acc} << left) * by.multiplier;
  const std::int64_t nudge = product >= 0 ? (std::int64_t{1} << 30) : 1 - (std::int64_t{1} << 30);
  const std::int64_t high = (product + nudge) / (std::int64_t{1} << 31);
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  const std::int64_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right) + ((high & mask) > threshold ? 1 : 0);
}

}  // namespace linnet::numerics
