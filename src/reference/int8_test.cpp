#include "reference/int8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet::reference {
namespace {

using ::testing::ElementsAre;

template <class T>
Constant constant(std::vector<int> dims, std::initializer_list<T> values) {
  return Constant(std::move(dims), AlignedVector<T>(values));
}

/// One operator after inputs whose real values are their stored ones; `y` says what the output stands for.
std::vector<float> run_op(Shape input, Op op, Quantization y, const std::vector<float>& image,
                          Quantization x = {1, 0}) {
  GraphBuilder b("one", input);
  b.quantize(b.input(), x);
  const std::vector<NodeId> inputs(static_cast<std::size_t>(arity(op)), b.input());
  const NodeId id = b.add("y", std::move(op), inputs);
  b.quantize(id, y);
  const auto graph = std::move(b).finish(id);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  if (!graph) return {};
  Interpreter interpreter(*graph);
  return linnet::testing::scores_of(interpreter, image);
}

TEST(int8_interpreter, a_convolution_requantizes_each_channel_by_its_own_scale) {
  Convolution op;
  op.weight = constant<std::int8_t>({2, 1, 1, 2}, {3, 4, 5, -6});
  op.bias = constant<std::int32_t>({2}, {1, 2});
  op.weight_scale = Constant({2}, {0.5f, 0.25f});
  // 3 * 10 + 4 * 20 + 1 = 111, half of it rounds up to 56; 5 * 10 - 6 * 20 + 2 = -68, a quarter is -17.
  EXPECT_THAT(run_op({1, 1, 2}, op, {1, 0}, {10, 20}), ElementsAre(56, -17));
  op.activation = Activation::kRelu6;
  EXPECT_THAT(run_op({1, 1, 2}, op, {1, 0}, {10, 20}), ElementsAre(6, 0));
}

TEST(int8_interpreter, padding_is_the_zero_point) {
  Depthwise op;
  op.window = {3, 3, 1, 1, {1, 1, 1, 1}};
  op.weight = constant<std::int8_t>({3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1});
  op.weight_scale = Constant({1}, {1.0f});
  EXPECT_THAT(run_op({1, 2, 1}, op, {1, 0}, {3, 4}, {1, 50}), ElementsAre(7, 7));
}

TEST(int8_interpreter, a_weight_zero_point_is_taken_off_each_weight) {
  Linear op;
  op.weight = constant<std::int8_t>({1, 2}, {-128, 127});
  op.weight_scale = Constant({1}, {1.0f});
  op.weight_zero_point = 100;
  EXPECT_THAT(run_op({1, 1, 2}, op, {4, 0}, {2, 3}),
              ElementsAre((2 * -228 + 3 * 27 + 4 * 256) / 4 * 4 - 1024));
}

TEST(int8_interpreter, adds_multiplies_pools_and_looks_up) {
  EXPECT_THAT(run_op({1, 1, 2}, Add{}, {1, 0}, {10, -3}), ElementsAre(20, -6));
  EXPECT_THAT(run_op({1, 1, 2}, Multiply{}, {2, 0}, {10, -4}), ElementsAre(100, 16));
  EXPECT_THAT(run_op({1, 3, 1}, GlobalAveragePool{}, {0.5f, 0}, {1, 2, 5}), ElementsAre(2.5f));  // 8 / 3
  EXPECT_THAT(run_op({1, 1, 2}, Activate{Activation::kHardSigmoid}, {1.0f / 128, -64}, {0, 9}),
              ElementsAre(0.5f, 1.0f));
  EXPECT_THAT(run_op({1, 1, 1}, Pad{{0, 0, 1, 0}}, {1, 7}, {3}, {1, 7}), ElementsAre(0, 3));
}

TEST(int8_interpreter, images_are_rounded_to_the_nearest_value_and_limited) {
  const Quantization q = {0.5f, 3};
  EXPECT_THAT(quantize_image(std::vector<float>{0, 0.25f, 0.75f, -0.3f, 1000, -1e30f,
                                                std::numeric_limits<float>::quiet_NaN()},
                             q),
              ElementsAre(3, 3, 5, 2, 127, -128, 3));
  EXPECT_THAT(dequantize(std::vector<std::int8_t>{3, 5, -128}, q), ElementsAre(0, 1, -65.5f));
}

TEST(int8_interpreter, an_observer_sees_real_values) {
  GraphBuilder b("seen", {1, 1, 1});
  b.quantize(b.input(), {0.25f, -1});
  const NodeId y = b.add("y", Activate{Activation::kRelu}, {b.input()});
  b.quantize(y, {0.5f, 0});
  Interpreter interpreter(std::move(b).finish(y).value());
  std::vector<float> seen;
  std::vector<float> scores(1);
  ASSERT_TRUE(interpreter.run(1, std::vector<float>{2.3f}, scores,
                              [&](const Node&, std::span<const float> v) { seen.push_back(v[0]); }));
  EXPECT_THAT(seen, ElementsAre(2.25f, 2.5f));
}

}  // namespace
}  // namespace linnet::reference
