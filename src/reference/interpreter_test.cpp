#include "reference/interpreter.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "support/graph.h"

namespace linnet::reference {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

std::vector<float> run(const Graph& graph, const std::vector<float>& image) {
  Interpreter interpreter(graph);
  return linnet::testing::scores_of(interpreter, image);
}

/// A graph of one operator.
std::vector<float> run_op(Shape input, Op op, const std::vector<float>& image) {
  GraphBuilder b("one", input);
  const NodeId y = b.add("y", std::move(op), {b.input()});
  const auto graph = std::move(b).finish(y);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().message);
  return graph ? run(*graph, image) : std::vector<float>{};
}

TEST(interpreter, a_convolution_sums_over_its_window_and_channels) {
  // 2x2 image, two channels; a 2x2 kernel of which each tap and channel has its own decimal digit.
  const std::vector<float> image = {1, 2, 3, 4, 5, 6, 7, 8};
  const Constant weight({1, 2, 2, 2}, {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000});
  EXPECT_THAT(run_op({2, 2, 2},
                     Convolution{.window = {2, 2}, .weight = weight, .bias = Constant({1}, {0.5f})}, image),
              ElementsAre(87654321.5f));
}

TEST(interpreter, padding_and_stride_select_the_taps) {
  const std::vector<float> image = {1, 2, 3, 4, 5, 6, 7, 8, 9};  // 3x3, one channel
  const Constant ones({1, 3, 3, 1}, AlignedVector<float>(9, 1.0f));
  EXPECT_THAT(run_op({3, 3, 1}, Convolution{.window = {3, 3, 2, 2, {1, 1, 1, 1}}, .weight = ones}, image),
              ElementsAre(12, 16, 24, 28));
  // TensorFlow's SAME at stride 2 on an even image pads only at the end.
  EXPECT_THAT(
      run_op({2, 2, 1}, Convolution{.window = {3, 3, 2, 2, {0, 1, 0, 1}}, .weight = ones}, {1, 2, 3, 4}),
      ElementsAre(10));
}

TEST(interpreter, depthwise_keeps_channels_apart) {
  const Constant weight({1, 2, 2}, {1, 10, 100, 1000});
  EXPECT_THAT(run_op({1, 2, 2}, Depthwise{.window = {1, 2}, .weight = weight}, {1, 2, 3, 4}),
              ElementsAre(301, 4020));
}

TEST(interpreter, linear_batch_norm_and_activations_follow_their_formulas) {
  EXPECT_THAT(
      run_op({1, 1, 2}, Linear{Constant({2, 2}, {1, 2, 3, 4}), Constant({2}, {10, -100}), Activation::kRelu},
             {1, 1}),
      ElementsAre(13, 0));
  EXPECT_THAT(
      run_op({1, 1, 1},
             BatchNorm{Constant({1}, {3}), Constant({1}, {1}), Constant({1}, {2}), Constant({1}, {3}), 1.0f},
             {6}),
      ElementsAre(7));  // (6 - 2) / sqrt(3 + 1) * 3 + 1
  const std::vector<float> x = {-4, -3, -1, 0, 1, 3, 7};
  const Shape line = {1, 7, 1};
  EXPECT_THAT(run_op(line, Activate{Activation::kRelu6}, x), ElementsAre(0, 0, 0, 0, 1, 3, 6));
  EXPECT_THAT(run_op(line, Activate{Activation::kHardSigmoid}, x),
              ElementsAre(0, 0, FloatEq(1 / 3.f), 0.5f, FloatEq(2 / 3.f), 1, 1));
  EXPECT_THAT(run_op(line, Activate{Activation::kHardSwish}, x),
              ElementsAre(0, 0, FloatEq(-1 / 3.f), 0, FloatEq(2 / 3.f), 3, 7));
}

TEST(interpreter, pool_pad_and_softmax) {
  EXPECT_THAT(run_op({2, 1, 2}, GlobalAveragePool{}, {1, 10, 3, 30}), ElementsAre(2, 20));
  EXPECT_THAT(run_op({1, 1, 1}, Pad{{1, 0, 0, 2}}, {5}), ElementsAre(0, 0, 0, 5, 0, 0));
  EXPECT_THAT(run_op({1, 1, 2}, Softmax{}, {0, std::log(3.0f)}), ElementsAre(FloatEq(0.25f), FloatEq(0.75f)));
  EXPECT_THAT(run_op({1, 1, 2}, Softmax{}, {1000, 1000}), ElementsAre(0.5f, 0.5f)) << "must not overflow";
}

TEST(interpreter, the_gate_scales_whole_channels_and_the_residual_adds) {
  GraphBuilder b("gate", {2, 1, 2});
  const NodeId gate = b.add("gate", GlobalAveragePool{}, {b.input()});
  const NodeId gated = b.add("gated", Multiply{}, {b.input(), gate});
  const NodeId sum = b.add("sum", Add{Activation::kRelu6}, {gated, b.input()});
  EXPECT_THAT(run(std::move(b).finish(sum).value(), {1, 0, 3, -1}), ElementsAre(3, 0, 6, 0));
}

TEST(interpreter, a_batch_gives_each_image_its_own_scores) {
  GraphBuilder b("sum", {1, 1, 2});
  const NodeId y = b.add("y", Linear{.weight = Constant({1, 2}, {1, 10})}, {b.input()});
  Interpreter interpreter(std::move(b).finish(y).value());
  std::vector<float> scores(2);
  std::vector<std::string> seen;
  ASSERT_TRUE(interpreter.run(2, std::vector<float>{1, 2, 3, 4}, scores,
                              [&](const Node& node, std::span<const float>) { seen.push_back(node.name); }));
  EXPECT_THAT(scores, ElementsAre(21, 43));
  EXPECT_THAT(seen, ElementsAre("input", "y"));
  EXPECT_FALSE(interpreter.run(2, std::vector<float>{1, 2, 3}, scores)) << "three values are not two images";
}

}  // namespace
}  // namespace linnet::reference
