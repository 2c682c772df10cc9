#include "data/mixup.h"

#include <cmath>
#include <numbers>

namespace linnet::data {
namespace {

double above_zero(Random& random) { return (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53; }

/// Box and Muller.
double normal(Random& random) {
  const double radius = std::sqrt(-2.0 * std::log(above_zero(random)));
  return radius * std::cos(2.0 * std::numbers::pi * above_zero(random));
}

/// The logarithm of a draw from Gamma(shape, 1) (Marsaglia and Tsang, "A simple method for generating gamma
/// variables", 2000), since for a small shape the draw itself vanishes.
double log_gamma_draw(double shape, Random& random) {
  const double boost = shape < 1.0 ? std::log(above_zero(random)) / shape : 0.0;
  const double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal(random);
    const double v = std::pow(1.0 + c * x, 3);
    if (v > 0.0 && std::log(above_zero(random)) < 0.5 * x * x + d - d * v + d * std::log(v))
      return std::log(d * v) + boost;
  }
}

}  // namespace

float draw_mixup(double alpha, Random random) {
  const double a = log_gamma_draw(alpha, random), b = log_gamma_draw(alpha, random);
  return static_cast<float>(1.0 / (1.0 + std::exp(b - a)));
}

void mix(std::span<float> pixels, int n, float lambda) {
  const std::size_t size = pixels.size() / static_cast<std::size_t>(n);
  const float rest = 1.0f - lambda;
  for (int i = 0; i + 1 < n; i += 2) {
    float* a = pixels.data() + static_cast<std::size_t>(i) * size;
    float* b = a + size;
    for (std::size_t k = 0; k < size; ++k) {
      const float x = a[k], y = b[k];
      a[k] = lambda * x + rest * y;
      b[k] = lambda * y + rest * x;
    }
  }
}

}  // namespace linnet::data
