// Weights and biases as integers, and the bounds that they keep.
#include "quantize/weights.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/builder.h"
#include "graph/quantized.h"

namespace linnet::quantize {
namespace {

/// x -> y, a linear layer of one channel.
Graph layer_of(const Channel& channel, const Quantization& x, const Quantization& y) {
  const int taps = static_cast<int>(channel.weights.size());
  GraphBuilder builder("layer", {1, 1, taps});
  Linear op;
  op.weight = Constant({1, taps}, AlignedVector<std::int8_t>(channel.weights.begin(), channel.weights.end()));
  op.weight_scale = Constant({1}, AlignedVector<float>{channel.scale});
  op.bias = Constant({1}, AlignedVector<std::int32_t>{channel.bias});
  const NodeId id = builder.add("linear", op, {0});
  builder.quantize(0, x);
  builder.quantize(id, y);
  auto graph = std::move(builder).finish(id);
  EXPECT_TRUE(graph) << graph.error().message;
  return *graph;
}

/// What every channel promises, by the same rule that executors ask.
void expect_bounds(const Channel& channel, const Quantization& x, const Quantization& y) {
  const IntegerLayer layer = integer_layer(layer_of(channel, x, y), 1);
  EXPECT_TRUE(layer.exact_in_float()) << "scale " << channel.scale << ", bound " << layer.bounds[0];
  EXPECT_LE(layer.bounds[0], 1 << 24);
  EXPECT_TRUE(std::ranges::all_of(channel.weights, [](int w) { return w >= -127; }));
}

std::vector<float> random_weights(std::size_t n, float magnitude, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> weights(n);
  for (float& w : weights) w = random.uniform(-magnitude, magnitude);
  return weights;
}

TEST(weights, usual_channels_use_the_whole_grid_and_are_half_a_step_away_at_most) {
  const auto weights = random_weights(64, 0.3f, 1);
  const Quantization x{0.02f, -128}, y{0.03f, 5};
  const Channel channel = quantize_channel(weights, 0.7, x, y, false);
  EXPECT_FALSE(channel.enlarged);
  EXPECT_EQ(std::ranges::max(channel.weights, {}, [](int w) { return std::abs(w); }) % 127, 0);
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_NEAR(channel.weights[i] * channel.scale, weights[i], 0.5001 * channel.scale);
  EXPECT_NEAR(channel.bias * double{x.scale} * channel.scale, 0.7, 0.5001 * x.scale * channel.scale);
  expect_bounds(channel, x, y);
}

TEST(weights, searching_never_raises_the_squared_error) {
  const auto error = [](std::span<const float> weights, const Channel& channel) {
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += std::pow(weights[i] - channel.weights[i] * double{channel.scale}, 2);
    return sum;
  };
  const Quantization x{0.02f, -128}, y{0.03f, 5};
  bool lowered = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto weights = random_weights(9, 1, seed);
    const double searched = error(weights, quantize_channel(weights, 0, x, y, true));
    const double plain = error(weights, quantize_channel(weights, 0, x, y, false));
    EXPECT_LE(searched, plain * (1 + 1e-6));
    lowered = lowered || searched < 0.9 * plain;
  }
  EXPECT_TRUE(lowered);
}

TEST(weights, a_channel_whose_sum_could_leave_24_bits_gets_a_larger_scale) {
  const std::vector<float> weights(1280, 1.0f);  // 1280 * 127 * 255 is 41 million
  const Quantization x{0.02f, -128}, y{0.1f, -128};
  const Channel channel = quantize_channel(weights, 0, x, y, false);
  EXPECT_TRUE(channel.enlarged);
  EXPECT_GT(channel.weights[0], 45);
  EXPECT_LT(channel.weights[0], 55);
  EXPECT_NEAR(channel.weights[0] * channel.scale, 1, channel.scale);
  expect_bounds(channel, x, y);
}

TEST(weights, a_bias_that_does_not_fit_enlarges_the_scale) {
  const auto weights = random_weights(9, 1e-7f, 3);
  const Quantization x{0.02f, -128}, y{0.05f, 0};
  const Channel channel = quantize_channel(weights, 3.0, x, y, true);
  EXPECT_TRUE(channel.enlarged);
  EXPECT_NEAR(channel.bias * double{x.scale} * channel.scale, 3.0, 1e-3);
  expect_bounds(channel, x, y);
}

TEST(weights, a_channel_whose_weights_vanish_is_a_constant_that_keeps_its_bias) {
  for (const double bias : {0.0, 1.7, -4.25, 1e-3}) {
    const Quantization x{0.02f, -128}, y{0.05f, 0};
    const Channel channel = quantize_channel(std::vector<float>(9, 0.0f), bias, x, y, true);
    EXPECT_TRUE(std::ranges::all_of(channel.weights, [](int w) { return w == 0; }));
    EXPECT_NEAR(channel.bias * double{x.scale} * channel.scale, bias, 1e-4);
    expect_bounds(channel, x, y);
    const IntegerLayer layer = integer_layer(layer_of(channel, x, y), 1);
    EXPECT_EQ(linnet_requantize(channel.bias, layer.multipliers[0], layer.output),
              static_cast<int>(std::round(bias / y.scale)));
  }
}

TEST(weights, bounds_hold_for_whatever_scales_and_weights) {
  Random random(11);
  int enlarged = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::size_t taps = 1 + random.below(i % 10 == 0 ? 4000 : 60);
    auto weights = random_weights(taps, std::exp2(random.uniform(-40, 20)), random.next());
    if (i % 3 == 0)
      for (float& w : weights) w = std::abs(w);
    const double bias = i % 2 ? std::exp2(random.uniform(-40, 30)) * (i % 4 < 2 ? 1 : -1) : 0;
    const Quantization x{std::exp2(random.uniform(-30, 30)), static_cast<int>(random.below(256)) - 128};
    Linear op;
    op.weight = Constant({1, static_cast<int>(taps)}, AlignedVector<float>(weights.begin(), weights.end()));
    op.bias = Constant({1}, AlignedVector<float>{static_cast<float>(bias)});
    const double least = least_output_scale(op, x);
    const Quantization y{static_cast<float>(least * (i % 5 ? std::exp2(random.uniform(0.01f, 20)) : 1.001)),
                         static_cast<int>(random.below(256)) - 128};
    if (y.scale < 0x1p-60f || y.scale > 0x1p60f) continue;
    const Channel channel = quantize_channel(weights, double{op.bias.values()[0]}, x, y, i % 7 == 0);
    expect_bounds(channel, x, y);
    enlarged += channel.enlarged;
    if (::testing::Test::HasFailure()) FAIL() << "case " << i;
  }
  EXPECT_GT(enlarged, 100) << "the enlargement was hardly exercised";
}

TEST(weights, depthwise_channels_are_the_last_axis) {
  Depthwise op{.window = {.kernel_h = 1, .kernel_w = 2}};
  op.weight = Constant({1, 2, 3}, AlignedVector<float>{1, 10, 100, -0.5f, 5, -25});
  op.activation = Activation::kRelu6;
  const IntegerWeights result = quantize_layer(op, {0.01f, 0}, {1, 0}, {.search = false});
  const auto& stored = std::get<Depthwise>(result.op);
  EXPECT_EQ(stored.weight, Constant({1, 2, 3}, AlignedVector<std::int8_t>{127, 127, 127, -64, 64, -32}));
  EXPECT_FLOAT_EQ(stored.weight_scale.values()[2], 100 / 127.0f);
  EXPECT_EQ(stored.bias.dims(), std::vector{3});
  EXPECT_EQ(stored.activation, Activation::kRelu6);
  EXPECT_EQ(result.enlarged, 0);
}

}  // namespace
}  // namespace linnet::quantize
