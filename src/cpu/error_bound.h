// For tests: how far float kernels may be from the reference, computed from the node's own data.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/float_formats.h"
#include "cpu/precision.h"
#include "reference/interpreter.h"

namespace linnet::cpu {

/// The values of one node that the reference gives, and how far a kernel may be from each.
struct Expected {
  AlignedVector<float> values;
  AlignedVector<float> bounds;
};

/// The value that is stored.
inline float rounded(float x, Precision precision) {
  if (precision == Precision::kBf16) return float_from_bfloat16(bfloat16_from_float(x));
  if (precision == Precision::kFp16) return float_from_float16(float16_from_float(x));
  return x;
}

/// How far storing moves a value of at most this magnitude: half a unit in the last place of 8 or 11 digits.
/// What is below the least normal number moves by half of the least step there; of bfloat16 it may become
/// zero, as vdpbf16ps and vcvtneps2bf16 have it.
inline double storing_error(double magnitude, Precision precision) {
  switch (precision) {
    case Precision::kBf16: return 0x1p-8 * magnitude + 0x1p-126;
    case Precision::kFp16:
      return magnitude >= 65520 ? std::numeric_limits<double>::infinity() : 0x1p-11 * magnitude + 0x1p-25;
    default: return 0;
  }
}

/// With u = 2^-24: a chain of n multiply-adds errs by at most (n + 2) u times the sum of |x| |w| and |bias|
/// (Higham, "Accuracy and Stability of Numerical Algorithms", 3.1; rounded twice a step at most, the second
/// time covered by the factor 2). An activation multiplies that by its steepest slope, 1.5, and adds a few u
/// of its own result. In half precision weights are rounded first and the result last.
inline Expected expect_node(Node node, std::span<const Shape> shapes,
                            std::span<const std::span<const float>> inputs,
                            Precision precision = Precision::kFloat32) {
  constexpr double u = 0x1p-24;
  constexpr double kSlope = 1.5;
  const auto stored = [&](const Constant& weight) {
    AlignedVector<float> values(weight.values().begin(), weight.values().end());
    for (float& v : values) v = rounded(v, precision);
    return Constant(weight.dims(), std::move(values));
  };
  std::visit(Overloaded{[&](Convolution& op) { op.weight = stored(op.weight); },
                        [&](Depthwise& op) { op.weight = stored(op.weight); },
                        [&](Linear& op) { op.weight = stored(op.weight); }, [](auto&) {}},
             node.op);
  Expected e;
  e.values = reference::compute(node, shapes, inputs);

  const auto magnitude_of = [](std::span<const float> values) {
    AlignedVector<float> result(values.begin(), values.end());
    for (float& v : result) v = std::abs(v);
    return result;
  };
  const auto magnitude_of_constant = [&](const Constant& c) {
    return c.absent() ? Constant() : Constant(c.dims(), magnitude_of(c.values()));
  };
  std::vector<AlignedVector<float>> magnitudes;
  for (const auto& input : inputs) magnitudes.push_back(magnitude_of(input));
  const std::vector<std::span<const float>> views(magnitudes.begin(), magnitudes.end());

  // The same node over magnitudes, and the number of roundings behind each value.
  Node sums = node;
  double steps = 0;
  const auto weighted = [&](auto& op) {
    steps = 2.0 * (static_cast<double>(op.weight.size()) / node.shape.c + 2);
    op.weight = magnitude_of_constant(op.weight);
    op.bias = magnitude_of_constant(op.bias);
    op.activation = Activation::kNone;
  };
  double relative = 8 * u;
  std::visit(Overloaded{[&](Convolution& op) { weighted(op); }, [&](Depthwise& op) { weighted(op); },
                        [&](Linear& op) { weighted(op); },
                        [&](Add& op) {
                          steps = 1;
                          op.activation = Activation::kNone;
                        },
                        [&](GlobalAveragePool&) { steps = static_cast<double>(shapes[0].pixels()) + 2; },
                        [&](Softmax&) {
                          double range = 0;
                          for (const float a : inputs[0])
                            for (const float b : {inputs[0][0]})
                              range = std::max(range, std::abs(double{a} - b));
                          relative = (8 * range + 32) * u;  // an exponent's rounding grows with it
                        },
                        [](auto&) {}},
             sums.op);
  AlignedVector<float> sum(e.values.size(), 0.0f);
  if (steps > 0) sum = reference::compute(sums, shapes, views);
  for (std::size_t i = 0; i < e.values.size(); ++i) {
    const double computed =
        kSlope * steps * u * sum[i] + relative * std::abs(e.values[i]) + std::numeric_limits<float>::min();
    e.bounds.push_back(
        static_cast<float>(computed + storing_error(std::abs(e.values[i]) + computed, precision)));
  }
  return e;
}

/// "" where every value is within its bound, else the first that is not.
inline std::string first_violation(const Expected& expected, std::span<const float> actual) {
  if (actual.size() != expected.values.size())
    return fmt::format("{} values instead of {}", actual.size(), expected.values.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    if (!(std::abs(double{actual[i]} - expected.values[i]) <= expected.bounds[i]))
      return fmt::format("value {}: {} instead of {}, more than {} off", i, actual[i], expected.values[i],
                         expected.bounds[i]);
  return "";
}

}  // namespace linnet::cpu
