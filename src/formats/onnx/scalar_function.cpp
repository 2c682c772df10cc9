#include "formats/onnx/scalar_function.h"

#include <algorithm>
#include <utility>

namespace linnet::formats::onnx {

ScalarFunction ScalarFunction::scaled(double k) const {
  if (k == 0) return {.slope = 0, .gated = gated};
  ScalarFunction f = {slope * k, offset * k, low * k, high * k, gated};
  if (k < 0) std::swap(f.low, f.high);
  return f;
}

std::optional<ScalarFunction> ScalarFunction::shifted(double k) const {
  if (gated) return std::nullopt;
  return ScalarFunction{slope, offset + k, low + k, high + k, false};
}

std::optional<ScalarFunction> ScalarFunction::clamped(double lowest, double highest) const {
  if (gated) return std::nullopt;
  return ScalarFunction{slope, offset, std::clamp(low, lowest, highest), std::clamp(high, lowest, highest),
                        false};
}

std::optional<ScalarFunction> ScalarFunction::product(const ScalarFunction& f, const ScalarFunction& g) {
  const auto multiple_of_x = [](const ScalarFunction& h) { return !h.gated && !h.clamps() && h.offset == 0; };
  const auto gate = [](const ScalarFunction& h) { return !h.gated && h.clamps(); };
  if (!(multiple_of_x(f) && gate(g))) {
    if (multiple_of_x(g) && gate(f)) return product(g, f);
    return std::nullopt;
  }
  ScalarFunction result = g.scaled(f.slope);
  result.gated = true;
  return result;
}

}  // namespace linnet::formats::onnx
