#include "formats/onnx/scalar_function.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace linnet::formats::onnx {
namespace {

double evaluate(const ScalarFunction& f, double x) {
  return std::clamp(f.slope * x + f.offset, f.low, f.high) * (f.gated ? x : 1);
}

TEST(scalar_function, every_step_computes_what_it_says) {
  const ScalarFunction x;
  const ScalarFunction f = *x.scaled(2).shifted(1)->clamped(-3, 5);
  for (const double v : {-9.0, -2.0, -0.5, 0.0, 1.0, 2.0, 8.0}) {
    EXPECT_EQ(evaluate(f, v), std::clamp(2 * v + 1, -3.0, 5.0));
    EXPECT_EQ(evaluate(f.scaled(-4), v), -4 * std::clamp(2 * v + 1, -3.0, 5.0))
        << "a negative factor swaps the bounds";
    EXPECT_EQ(evaluate(*f.shifted(10), v), 10 + std::clamp(2 * v + 1, -3.0, 5.0));
    EXPECT_EQ(evaluate(*f.clamped(0, 2), v), std::clamp(2 * v + 1, 0.0, 2.0));
    EXPECT_EQ(evaluate(*f.clamped(7, 9), v), 7) << "bounds that do not meet leave a constant";
    EXPECT_EQ(evaluate(*ScalarFunction::product(f, x.scaled(0.5)), v),
              f.slope * 0 + 0.5 * v * evaluate(f, v));
    EXPECT_EQ(evaluate(f.scaled(0), v), 0);
  }
}

TEST(scalar_function, what_the_form_cannot_say_is_refused) {
  const ScalarFunction x;
  const ScalarFunction relu = *x.clamped(0, ScalarFunction::kInfinity);
  const ScalarFunction gated = *ScalarFunction::product(x, relu);
  EXPECT_FALSE(gated.shifted(1));
  EXPECT_FALSE(gated.clamped(0, 6));
  EXPECT_FALSE(ScalarFunction::product(gated, x));
  EXPECT_FALSE(ScalarFunction::product(relu, relu));
  EXPECT_FALSE(ScalarFunction::product(x, x)) << "x squared is no gate";
  EXPECT_FALSE(ScalarFunction::product(*x.shifted(1), relu)) << "(x + 1) * relu(x) is not a multiple of x";
}

}  // namespace
}  // namespace linnet::formats::onnx
