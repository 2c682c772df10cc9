// For tests: how far float32 kernels may be from the reference, computed from the node's own data.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "reference/interpreter.h"

namespace linnet::cpu {

/// The values of one node that the reference gives, and how far a kernel may be from each.
struct Expected {
  AlignedVector<float> values;
  AlignedVector<float> bounds;
};

/// With u = 2^-24: a chain of n multiply-adds errs by at most (n + 2) u times the sum of |x| |w| and |bias|
/// (Higham, "Accuracy and Stability of Numerical Algorithms", 3.1; rounded twice a step at most, the second
/// time covered by the factor 2). An activation multiplies that by its steepest slope, 1.5, and adds a few u
/// of its own result.
inline Expected expect_node(const Node& node, std::span<const Shape> shapes,
                            std::span<const std::span<const float>> inputs) {
  constexpr double u = 0x1p-24;
  constexpr double kSlope = 1.5;
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
  for (std::size_t i = 0; i < e.values.size(); ++i)
    e.bounds.push_back(static_cast<float>(kSlope * steps * u * sum[i] + relative * std::abs(e.values[i]) +
                                          std::numeric_limits<float>::min()));
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
