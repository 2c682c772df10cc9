#include "graph/quantized.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "graph/passes/passes.h"

namespace linnet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Constant int8(std::vector<int> dims, std::initializer_list<int> values) {
  AlignedVector<std::int8_t> v;
  for (const int x : values) v.push_back(static_cast<std::int8_t>(x));
  return Constant(std::move(dims), std::move(v));
}
Constant int32(std::initializer_list<std::int32_t> values) {
  return Constant({static_cast<int>(values.size())}, AlignedVector<std::int32_t>(values));
}

/// Two channels into two by a pointwise layer, a relu6 of the same scale, a sum with itself, and its mean.
Graph tiny() {
  GraphBuilder b("tiny", {2, 2, 2});
  b.quantize(b.input(), {0.5f, 10});
  Convolution op;
  op.weight = int8({2, 1, 1, 2}, {1, -2, 127, 0});
  op.bias = int32({100, -5});
  op.weight_scale = Constant({2}, {0.01f, 0.02f});
  const NodeId conv = b.add("conv", op, {b.input()});
  b.quantize(conv, {0.1f, -20});
  const NodeId relu = b.add("relu", Activate{Activation::kRelu6}, {conv});
  b.quantize(relu, {0.1f, -20});
  const NodeId sum = b.add("sum", Add{}, {relu, relu});
  b.quantize(sum, {0.2f, 0});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  b.quantize(pool, {0.2f, 0});
  return std::move(b).finish(pool).value();
}

std::string complaint(const Graph& graph) {
  const auto legal = validate(graph);
  return legal ? "" : legal.error().message;
}

Convolution& conv(Graph& graph) { return std::get<Convolution>(graph[1].op); }

TEST(quantized, the_bound_is_the_largest_accumulator_that_any_input_gives) {
  const Graph graph = tiny();
  // x - 10 is in [-138, 117]: channel 0 reaches 100 + 117 + 276 = 493 and 100 - 138 - 234; channel 1 -5 - 138
  // * 127.
  EXPECT_THAT(integer_layer(graph, 1).bounds, ElementsAre(493, 5 + 138 * 127));
  EXPECT_TRUE(integer_layer(graph, 1).exact_in_float());
}

TEST(quantized, a_weight_zero_point_counts_into_the_bound) {
  Graph graph = tiny();
  conv(graph).weight_zero_point = 1;
  EXPECT_THAT(integer_layer(graph, 1).bounds, ElementsAre(100 + 3 * 138, 5 + 138 * 126 + 117));
}

TEST(quantized, an_activation_is_a_pair_of_limits) {
  const Quantization q = {0.1f, -20};
  const auto limits = [&](Activation a) {
    const linnet_output o = output_limits(a, q);
    return std::vector<int>{o.zero_point, o.lo, o.hi};
  };
  EXPECT_THAT(limits(Activation::kNone), ElementsAre(-20, -128, 127));
  EXPECT_THAT(limits(Activation::kRelu), ElementsAre(-20, -20, 127));
  EXPECT_THAT(limits(Activation::kRelu6), ElementsAre(-20, -20, 40));
}

TEST(quantized, a_table_is_the_activation_of_every_value) {
  const auto table = activation_table(Activation::kHardSwish, {0.05f, 3}, {0.04f, -10});
  for (int q = -128; q <= 127; ++q) {
    const double real = activate((q - 3) * double{0.05f}, Activation::kHardSwish);
    const double stored = std::clamp(std::round(real / double{0.04f}) - 10, -128.0, 127.0);
    EXPECT_EQ(table[static_cast<std::size_t>(q + 128)], stored) << q;
  }
}

TEST(quantized, what_no_int8_arithmetic_can_compute_is_refused) {
  Graph graph = tiny();
  conv(graph).weight = Constant({2, 1, 1, 2}, {1, 2, 3, 4});
  EXPECT_THAT(complaint(graph), HasSubstr("node \"conv\" (convolution): weight is float32, expected int8"));
  graph = tiny();
  conv(graph).bias = Constant({2}, {1, 2});
  EXPECT_THAT(complaint(graph), HasSubstr("bias is float32, expected int32"));
  graph = tiny();
  conv(graph).weight_scale = Constant({1}, {0.01f});
  EXPECT_THAT(complaint(graph), HasSubstr("weight_scale is float32 [1], expected float32 [2]"));
  graph = tiny();
  conv(graph).weight_scale = Constant({2}, {0.01f, -1.0f});
  EXPECT_THAT(complaint(graph),
              HasSubstr("channel 1: the scales 0.5 (input), -1 (weights) and 0.1 (output)"));
  graph = tiny();
  conv(graph).bias = int32({100, 2147483000});
  EXPECT_THAT(complaint(graph), HasSubstr("channel 1: its accumulator can reach"));
  graph = tiny();
  conv(graph).activation = Activation::kHardSwish;
  EXPECT_THAT(complaint(graph), HasSubstr("hard_swish, which in int8 is a node of its own"));
  graph = tiny();
  conv(graph).weight_zero_point = 128;
  EXPECT_THAT(complaint(graph), HasSubstr("weight_zero_point is 128"));
  graph = tiny();
  graph[3].quantization.reset();
  EXPECT_THAT(complaint(graph), HasSubstr("node \"sum\" (add): is not quantized, while the input is"));
  graph = tiny();
  graph[3].quantization->scale = 0.0f;
  EXPECT_THAT(complaint(graph), HasSubstr("its scale is 0"));
  graph = tiny();
  graph[3].quantization->scale = 1e-9f;
  EXPECT_THAT(complaint(graph), HasSubstr("too far apart"));
  graph = tiny();
  graph[2].quantization->zero_point = 128;
  EXPECT_THAT(complaint(graph), HasSubstr("its zero point is 128"));
  graph = tiny();
  graph[2].op = Identity{};
  graph[2].quantization->zero_point = 5;
  EXPECT_THAT(complaint(graph), HasSubstr("must keep the quantization"));
  graph = tiny();
  graph[4].op = Softmax{};
  graph[4].inputs = {0};
  EXPECT_FALSE(validate(graph));
  graph = tiny();
  for (Node& node : graph.nodes) node.quantization.reset();
  EXPECT_THAT(complaint(graph), HasSubstr("weight is int8, expected float32"));
}

TEST(quantized, canonical_joins_what_only_limits_and_keeps_what_rescales) {
  const Graph joined = canonical(tiny());
  EXPECT_EQ(joined.size(), 4);
  EXPECT_EQ(std::get<Convolution>(joined[1].op).activation, Activation::kRelu6);
  Graph graph = tiny();
  graph[2].quantization->scale = 0.05f;
  EXPECT_EQ(canonical(graph), graph);
  graph[2].op = Activate{Activation::kNone};
  EXPECT_EQ(canonical(graph), graph);
}

}  // namespace
}  // namespace linnet
