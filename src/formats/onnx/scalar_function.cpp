#include "formats/onnx/scalar_function.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace linnet::formats::onnx {
namespace {

/// Exporters write 1/6 as the nearest float32, or as some decimals of it.
bool nearly(double value, double wanted) { return std::abs(value - wanted) <= 1e-6 * std::abs(wanted); }

}  // namespace

bool ScalarFunction::is_stretched_hard_sigmoid() const {
  const double span = high - low;
  return nearly(slope / span, 1.0 / 6.0) && nearly((offset - low) / span, 0.5);
}

std::optional<Activation> ScalarFunction::as_activation() const {
  if (is_identity()) return Activation::kNone;
  if (low != 0) return std::nullopt;
  if (is_stretched_hard_sigmoid() && nearly(high, 1))
    return gated ? Activation::kHardSwish : Activation::kHardSigmoid;
  if (gated || slope != 1 || offset != 0) return std::nullopt;
  if (high == kInfinity) return Activation::kRelu;
  if (high == 6) return Activation::kRelu6;
  return std::nullopt;
}

double ScalarFunction::operator()(double x) const {
  return std::clamp(slope * x + offset, low, high) * (gated ? x : 1);
}

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
