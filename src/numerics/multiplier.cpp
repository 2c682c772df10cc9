#include "numerics/multiplier.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace linnet::numerics {
namespace {

bool positive(float scale) { return std::isfinite(scale) && scale > 0.0f; }

}  // namespace

std::optional<linnet_multiplier> multiplier(double factor) {
  if (!(factor >= 0.0) || !(factor < 0x1p23)) return std::nullopt;
  int exponent = 0;
  const double fraction =
      std::frexp(factor, &exponent);  // factor = fraction * 2^exponent, fraction in [1/2, 1)
  const int t = 24 - exponent;
  if (factor == 0.0 || t > LINNET_T_MAX) return linnet_multiplier{0, LINNET_T_MIN};
  // The odd integer nearest to fraction * 2^24: odd integers are 2 apart, so it lies between the two even
  // ones.
  const auto m = 2 * static_cast<std::int32_t>(std::floor(std::ldexp(fraction, 23))) + 1;
  return linnet_multiplier{m, t};
}

std::optional<linnet_multiplier> layer_multiplier(float scale_x, float scale_w, float scale_y) {
  if (!positive(scale_x) || !positive(scale_y) || !(scale_w == 0.0f || positive(scale_w)))
    return std::nullopt;
  return multiplier(double{scale_x} * double{scale_w} / double{scale_y});
}

std::optional<linnet_multiplier> average_multiplier(float scale_x, float scale_y, int pixels) {
  if (!positive(scale_x) || !positive(scale_y) || pixels < 1) return std::nullopt;
  return multiplier(double{scale_x} / (double{scale_y} * pixels));
}

std::optional<linnet_multiplier> product_multiplier(float scale_x, float scale_gate, float scale_y) {
  if (!positive(scale_gate)) return std::nullopt;
  return layer_multiplier(scale_x, scale_gate, scale_y);
}

std::optional<linnet_add_multiplier> add_multiplier(float scale_a, float scale_b, float scale_y) {
  if (!positive(scale_a) || !positive(scale_b) || !positive(scale_y)) return std::nullopt;
  const double a = double{scale_a} / double{scale_y};
  const double b = double{scale_b} / double{scale_y};
  int exponent = 0;
  std::frexp(std::max(a, b), &exponent);
  int t = 15 - exponent;
  // Rounding up can reach 2^15; one bit less then holds it.
  if (std::lround(std::ldexp(std::max(a, b), t)) > LINNET_ADD_M_MAX) --t;
  if (t < LINNET_T_MIN) return std::nullopt;
  t = std::min<int>(t, LINNET_ADD_T_MAX);
  return linnet_add_multiplier{static_cast<std::int32_t>(std::lround(std::ldexp(a, t))),
                               static_cast<std::int32_t>(std::lround(std::ldexp(b, t))), t};
}

int quantize(double value, float scale, int zero_point) {
  const double q = std::round(value / double{scale}) + zero_point;
  return static_cast<int>(std::clamp(q, -128.0, 127.0));
}

}  // namespace linnet::numerics
