// Chains of scalar operators as one function, so that an activation is recognised however an exporter spelt
// it.
//
// x * Clip(x + 3, 0, 6) / 6, x * (Relu6(x + 3) * 0.1667), Min(Max(x / 6 + 0.5, 0), 1) * x … are all of the
// form
//
//   f(x) = clamp(slope * x + offset, low, high) * (gated ? x : 1)
//
// and that form is closed under scaling, shifting, clamping and (once) multiplying by x. What comes out at
// the end is compared with the activations that Linnet has.
#pragma once

#include <limits>
#include <optional>

#include "graph/op.h"

namespace linnet::formats::onnx {

struct ScalarFunction {
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();

  double slope = 1;
  double offset = 0;
  double low = -kInfinity;
  double high = kInfinity;
  bool gated = false;

  bool operator==(const ScalarFunction&) const = default;

  bool clamps() const { return low != -kInfinity || high != kInfinity; }
  bool is_identity() const { return *this == ScalarFunction{}; }

  /// The activation that this is, kNone for the identity, or nothing where Linnet has none such.
  std::optional<Activation> as_activation() const;
  /// clamp(x / 6 + 1/2, 0, 1) in the units of its own range.
  bool is_stretched_hard_sigmoid() const;
  /// f(x)
  double operator()(double x) const;

  /// k * f(x), for a finite k.
  ScalarFunction scaled(double k) const;
  /// f(x) + k, or nothing where the form cannot say it.
  std::optional<ScalarFunction> shifted(double k) const;
  /// min(max(f(x), lowest), highest) with lowest <= highest, or nothing where the form cannot say it.
  std::optional<ScalarFunction> clamped(double lowest, double highest) const;
  /// f(x) * g(x), or nothing where the form cannot say it.
  static std::optional<ScalarFunction> product(const ScalarFunction& f, const ScalarFunction& g);
};

}  // namespace linnet::formats::onnx
