// Scales to multipliers, in double precision: the part of the arithmetic that happens before anything runs. A
// multiplier is a pure function of the float32 scales that a file stores, so it is never stored itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "numerics/int8.h"

namespace linnet::numerics {

/// The multiplier nearest to `factor`, a positive real number: m odd in [2^23, 2^24), so within 2^-24 of it
/// relatively. A factor below 2^-39, which takes every accumulator to zero, and zero itself give {0, 1}.
/// Nothing where factor is negative, not finite, or at least 2^23.
std::optional<linnet_multiplier> multiplier(double factor);

/// Of a layer: s_x * s_w / s_y, the scales of input, weights and output. Nothing where one of them is not a
/// positive finite number, save s_w, which may be 0.
std::optional<linnet_multiplier> layer_multiplier(float scale_x, float scale_w, float scale_y);

/// Of a global average pool over `pixels`: s_x / (pixels * s_y).
std::optional<linnet_multiplier> average_multiplier(float scale_x, float scale_y, int pixels);

/// Of an element-wise product: s_x * s_gate / s_y.
std::optional<linnet_multiplier> product_multiplier(float scale_x, float scale_gate, float scale_y);

/// Of a residual add: s_a / s_y and s_b / s_y on one shift, the larger with 15 bits, each rounded to nearest.
/// Nothing where a scale is not a positive finite number, or a ratio is 2^14 or more.
std::optional<linnet_add_multiplier> add_multiplier(float scale_a, float scale_b, float scale_y);

/// The stored value of a real one: round(value / scale) + zero_point, halves away from zero, limited to int8.
/// What quantises weights (zero point 0, limited to -127 by the caller's choice of scale) and constants.
int quantize(double value, float scale, int zero_point);

/// The stored value of an activation that arrives as float32, the input of a graph: value * inverse_scale in
/// float32, limited to [-512, 511] (not a number counts as 0), rounded to nearest, ties to even; then
/// zero_point is added and the sum limited to int8. Assumes the default rounding mode.
inline std::int8_t quantize_real(float value, float inverse_scale, int zero_point) {
  const float scaled = value * inverse_scale;
  const float limited = scaled > 511.0f ? 511.0f : scaled > -512.0f ? scaled : scaled < 0.0f ? -512.0f : 0.0f;
  const int q = static_cast<int>(std::lrintf(limited)) + zero_point;
  return static_cast<std::int8_t>(std::clamp(q, -128, 127));
}

/// The float32 that a stored value stands for at the end of a graph.
inline float dequantize_real(int q, float scale, int zero_point) {
  return static_cast<float>(q - zero_point) * scale;
}

/// (q - zero_point) * scale
inline double dequantize(int q, float scale, int zero_point) { return (q - zero_point) * double{scale}; }

}  // namespace linnet::numerics
