// Activations in every spelling that exporters use.
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/onnx/model_checks.h"

namespace linnet::formats::onnx {
namespace {

using ::testing::HasSubstr;

using Model = ModelBuilder;
/// Adds nodes that compute a function of "x" and returns the name of their result.
using Spelling = std::function<std::string(Model&)>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string clip(Model& m, const std::string& x, double low, double high) {
  return m.node("Clip", {x, m.scalar(x + "_low", low), m.scalar(x + "_high", high)}, x + "_clipped");
}
std::string plus3(Model& m) { return m.node("Add", {"x", m.scalar("three", 3)}, "x3"); }

const std::vector<std::pair<const char*, Spelling>> kHardSwish = {
    {"HardSwish", [](Model& m) { return m.node("HardSwish", {"x"}, "y"); }},
    {"x * HardSigmoid(x)",
     [](Model& m) {
       m.node("HardSigmoid", {"x"}, "h", {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
       return m.node("Mul", {"x", "h"}, "y");
     }},
    {"HardSigmoid(x) * x, alpha in six decimals",
     [](Model& m) {
       m.node("HardSigmoid", {"x"}, "h", {{"alpha", 0.1666667}, {"beta", 0.5f}});
       return m.node("Mul", {"h", "x"}, "y");
     }},
    {"x * Clip(x + 3, 0, 6) / 6",
     [](Model& m) {
       m.node("Mul", {"x", clip(m, plus3(m), 0, 6)}, "p");
       return m.node("Div", {"p", m.scalar("six", 6)}, "y");
     }},
    {"x * (Clip(3 + x, 0, 6) / 6)",
     [](Model& m) {
       m.node("Add", {m.scalar("three", 3), "x"}, "x3");
       m.node("Div", {clip(m, "x3", 0, 6), m.scalar("six", 6)}, "h");
       return m.node("Mul", {"x", "h"}, "y");
     }},
    {"x * (Clip(x + 3, 0, 6) * 0.16666667)",
     [](Model& m) {
       m.node("Mul", {clip(m, plus3(m), 0, 6), m.floats("sixth", {1}, {1 / 6.f})}, "h");
       return m.node("Mul", {"h", "x"}, "y");
     }},
    {"(x * (1/6)) * Clip(x + 3, 0, 6)",
     [](Model& m) {
       m.node("Mul", {"x", m.floats("sixth", {1, 1, 1, 1}, {1 / 6.f})}, "scaled");
       return m.node("Mul", {"scaled", clip(m, plus3(m), 0, 6)}, "y");
     }},
    {"(x / 6) * Min(Relu(x + 3), 6)",
     [](Model& m) {
       m.node("Div", {"x", m.scalar("six", 6)}, "scaled");
       m.node("Relu", {plus3(m)}, "r");
       m.node("Min", {"r", "six"}, "m");
       return m.node("Mul", {"scaled", "m"}, "y");
     }},
    {"x * Max(0, Min(1, x / 6 + 0.5))",
     [](Model& m) {
       m.node("Div", {"x", m.scalar("six", 6)}, "scaled");
       m.node("Add", {"scaled", m.scalar("half", 0.5)}, "shifted");
       m.node("Min", {m.scalar("one", 1), "shifted"}, "min");
       m.node("Max", {m.scalar("zero", 0), "min"}, "max");
       return m.node("Mul", {"x", "max"}, "y");
     }},
    {"x * Clip(x - -3) / 6, bounds from Constant nodes",
     [](Model& m) {
       m.node("Constant", {}, "low", {{"value", float_tensor({}, {0})}});
       m.node("Constant", {}, "high", {{"value_float", 6.0f}});
       m.node("Sub", {"x", m.scalar("minus_three", -3)}, "x3");
       m.node("Clip", {"x3", "low", "high"}, "c");
       m.node("Mul", {"x", "c"}, "p");
       return m.node("Div", {"p", m.scalar("six", 6)}, "y");
     }},
};

const std::vector<std::pair<const char*, Spelling>> kHardSigmoid = {
    {"HardSigmoid",
     [](Model& m) {
       return m.node("HardSigmoid", {"x"}, "y", {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
     }},
    {"Clip(x + 3, 0, 6) / 6",
     [](Model& m) {
       return m.node("Div", {clip(m, plus3(m), 0, 6), m.scalar("six", 6)}, "y");
     }},
    {"Clip(x / 6 + 0.5, 0, 1)",
     [](Model& m) {
       m.node("Div", {"x", m.scalar("six", 6)}, "scaled");
       return clip(m, m.node("Add", {"scaled", m.scalar("half", 0.5)}, "shifted"), 0, 1);
     }},
};

const std::vector<std::pair<const char*, Spelling>> kRelu6 = {
    {"Clip with inputs", [](Model& m) { return clip(m, "x", 0, 6); }},
    {"Min(Relu(x), 6)",
     [](Model& m) {
       m.node("Relu", {"x"}, "r");
       return m.node("Min", {"r", m.scalar("six", 6)}, "y");
     }},
    {"Relu of a Clip above",
     [](Model& m) {
       m.node("Clip", {"x", "", m.scalar("six", 6)}, "c");
       return m.node("Relu", {"c"}, "y");
     }},
    {"Max, then Min, through an Identity",
     [](Model& m) {
       m.node("Max", {"x", m.scalar("zero", 0)}, "a");
       m.node("Identity", {"a"}, "b");
       return m.node("Min", {"b", m.scalar("six", 6)}, "y");
     }},
};

const std::vector<std::pair<const char*, Spelling>> kRelu = {
    {"Relu", [](Model& m) { return m.node("Relu", {"x"}, "y"); }},
    {"Clip without an upper bound",
     [](Model& m) {
       return m.node("Clip", {"x", m.scalar("zero", 0)}, "y");
     }},
    {"Clip to float's largest", [](Model& m) { return clip(m, "x", 0, std::numeric_limits<float>::max()); }},
    {"Max",
     [](Model& m) {
       return m.node("Max", {"x", m.scalar("zero", 0)}, "y");
     }},
};

void expect_one(Activation activation, const std::vector<std::pair<const char*, Spelling>>& spellings) {
  for (const auto& [text, spell] : spellings) {
    SCOPED_TRACE(text);
    Model m(13, {1, 2, 3, 4});
    const auto graph = m.read(spell(m));
    ASSERT_TRUE(graph) << graph.error().message;
    ASSERT_EQ(graph->size(), 2) << dump(*graph);
    EXPECT_EQ(graph->nodes[1].op, Op(Activate{activation})) << dump(*graph);
  }
}

TEST(onnx_activations, hard_swish_is_one_node_in_every_spelling) {
  expect_one(Activation::kHardSwish, kHardSwish);
}
TEST(onnx_activations, hard_sigmoid_is_one_node_in_every_spelling) {
  expect_one(Activation::kHardSigmoid, kHardSigmoid);
}
TEST(onnx_activations, relu6_is_one_node_in_every_spelling) { expect_one(Activation::kRelu6, kRelu6); }
TEST(onnx_activations, relu_is_one_node_in_every_spelling) { expect_one(Activation::kRelu, kRelu); }

TEST(onnx_activations, clip_had_attributes_before_opset_11) {
  Model m(7, {1, 2, 3, 4});
  const auto graph = m.read(m.node("Clip", {"x"}, "y", {{"min", 0.0f}, {"max", 6.0f}}));
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->nodes[1].op, Op(Activate{Activation::kRelu6}));
  EXPECT_EQ(graph->nodes[1].name, "y");
}

TEST(onnx_activations, other_piecewise_linear_functions_are_computed_as_written) {
  const Floats x = {-9, -4, -2.4f, -1, -0.25f, 0, 0.5f, 1, 2.5f, 3, 6, 11};
  const std::vector<std::pair<Spelling, std::function<float(float)>>> functions = {
      {[](Model& m) { return m.node("HardSigmoid", {"x"}, "y"); },  // ONNX's (and Keras's) own 0.2 and 0.5
       [](float v) { return std::clamp(0.2f * v + 0.5f, 0.0f, 1.0f); }},
      {[](Model& m) { return clip(m, "x", -1, 2); }, [](float v) { return std::clamp(v, -1.0f, 2.0f); }},
      {[](Model& m) {
         return m.node("Min", {"x", m.scalar("two", 2)}, "y");
       },
       [](float v) { return std::min(v, 2.0f); }},
      {[](Model& m) {
         return m.node("Max", {"x", m.scalar("two", 2)}, "y");
       },
       [](float v) { return std::max(v, 2.0f); }},
      {[](Model& m) { return clip(m, plus3(m), 0, 6); },
       [](float v) { return std::clamp(v + 3, 0.0f, 6.0f); }},
      {[](Model& m) {
         return m.node("Sub", {m.scalar("one", 1), m.node("Relu", {"x"}, "r")}, "y");
       },
       [](float v) { return 1 - std::max(v, 0.0f); }},
      {[](Model& m) { return m.node("Neg", {clip(m, "x", 0, 6)}, "y"); },
       [](float v) { return -std::clamp(v, 0.0f, 6.0f); }},
      {[](Model& m) {
         m.node("HardSwish", {"x"}, "h");
         m.node("Add", {"h", m.scalar("one", 1)}, "a");
         return m.node("Mul", {"a", m.scalar("two", 2)}, "y");
       },
       [](float v) { return 2 * (v * std::clamp(v + 3, 0.0f, 6.0f) / 6 + 1); }},
      {[](Model& m) {
         return m.node("Mul", {"x", clip(m, plus3(m), 0, 6)}, "y");
       },  // hard-swish times six
       [](float v) { return v * std::clamp(v + 3, 0.0f, 6.0f); }},
      {[](Model& m) {
         return m.node("Mul", {"x", m.scalar("zero", 0)}, "y");
       },
       [](float) { return 0.0f; }},
  };
  for (const auto& [spell, expected] : functions) {
    Model m(14, {1, 1, 3, 4});
    const std::string y = spell(m);
    const Floats values = read_and_run(m, y, x);
    ASSERT_EQ(values.size(), x.size());
    // The exporter's steps and ours round differently, a few units in the last place of the largest term.
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(values[i], expected(x[i]), 1e-6f * std::max(12.0f, std::abs(expected(x[i]))))
          << y << " of " << x[i];
  }
}

TEST(onnx_activations, an_activation_that_two_nodes_read_is_computed_once) {
  Model m(14, {1, 2, 3, 4});
  m.node("Relu", {"x"}, "r");
  m.node("Identity", {"r"}, "same");
  m.node("Clip", {"same", m.scalar("zero", 0), m.scalar("six", 6)}, "c");
  m.node("Add", {"r", "c"}, "y");
  const auto graph = m.read("y");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->size(), 4) << dump(*graph);
  EXPECT_EQ((*graph)[2].inputs, std::vector<NodeId>{1}) << "the clip reads the relu, not the image";
}

TEST(onnx_activations, a_gate_that_is_no_hard_swish_is_refused) {
  Model m(14, {1, 2, 3, 4});
  m.node("Relu", {"x"}, "r");
  m.node("Mul", {"x", "r"}, "y");
  EXPECT_THAT(complaint(m, "y"),
              HasSubstr("multiplies x by clamp(1 * x + 0, 0, inf), which is not hard-swish"));
  m.node("Mul", {"x", "x"}, "squared");
  EXPECT_THAT(complaint(m, "squared"),
              HasSubstr("test.onnx: node \"squared\" (Mul): the gate of 3x4x2 is 3x4x2, expected 1x1x2"));
}

TEST(onnx_activations, numbers_that_are_not_finite_are_refused) {
  for (const float bad : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    Model m(14, {1, 1, 2, 2});
    m.scalar("bad", bad);
    EXPECT_NE(complaint(m, m.node("Mul", {"x", "bad"}, "product")), "");
    EXPECT_NE(complaint(m, m.node("Add", {"x", "bad"}, "sum")), "");
  }
  Model m(14, {1, 1, 2, 2});
  EXPECT_THAT(complaint(m, clip(m, "x", 2, 1)), HasSubstr("clips to [2, 1]"));
  m.node("Div", {"x", m.scalar("zero", 0)}, "quotient");
  EXPECT_THAT(complaint(m, "quotient"), HasSubstr("divides by zero"));
}

}  // namespace
}  // namespace linnet::formats::onnx
