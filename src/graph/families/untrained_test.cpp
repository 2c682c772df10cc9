// Untrained networks must be worth running: benches, tests of kernels and calibration all use them.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/families/family.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet {
namespace {

using linnet::testing::noise;

FamilyConfig small(std::string_view name, int resolution, double width = 1.0) {
  FamilyConfig config = parse_family(name).value();
  config.resolution = resolution;
  config.width = width;
  config.classes = 50;
  return config;
}

double rms(std::span<const float> values) {
  double sum = 0;
  for (const float v : values) sum += double{v} * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST(untrained, the_weights_are_a_function_of_the_seed) {
  FamilyConfig config = small("mobilenet_v3_small", 32);
  const Graph graph = build(config).value();
  EXPECT_EQ(graph, build(config).value());
  config.seed = 2;
  EXPECT_NE(graph, build(config).value());
}

/// SplitMix64 from 1, 24 bits each, over [-sqrt(6 / 27), sqrt(6 / 27)): computed apart, in Python.
TEST(untrained, the_weights_are_the_same_on_every_machine) {
  const Graph graph = build(small("mobilenet_v2", 32)).value();
  const auto weight = std::get<Convolution>(graph[1].op).weight.values();
  EXPECT_EQ(weight[0], 0x1.010b28p-4f);
  EXPECT_EQ(weight[1], 0x1.da92c4p-3f);
  EXPECT_EQ(weight[2], 0x1.c6b922p-2f);
}

TEST(untrained, batch_norms_are_not_the_identity) {
  const Graph graph = build(small("mobilenet_v2", 32)).value();
  const auto& norm = std::get<BatchNorm>(graph[2].op);
  const auto differ = [](const Constant& c) {
    return std::ranges::adjacent_find(c.values(), std::ranges::not_equal_to()) != c.values().end();
  };
  EXPECT_TRUE(differ(norm.scale));
  EXPECT_TRUE(differ(norm.offset));
  EXPECT_TRUE(differ(norm.mean));
  EXPECT_TRUE(differ(norm.variance));
  EXPECT_GT(*std::ranges::min_element(norm.variance.values()), 0.1f);
}

/// Neither a layer that dies nor one that explodes, in any family, whatever the seed; measured: 0.09 to 6.
TEST(untrained, the_signal_keeps_its_scale_through_every_layer) {
  for (const std::string_view name : family_names())
    for (const std::uint64_t seed : {1, 2, 3}) {
      FamilyConfig config = small(name, 64);
      config.seed = seed;
      const Graph graph = build(config).value();
      std::vector<float> scores(static_cast<std::size_t>(config.classes));
      ASSERT_TRUE(reference::Interpreter(graph).run(
          1, noise(graph.input_shape(), 5, 2), scores, [&](const Node& node, std::span<const float> values) {
            EXPECT_GT(rms(values), 0.05) << name << " seed " << seed << " node " << node.name;
            EXPECT_LT(rms(values), 12.0) << name << " seed " << seed << " node " << node.name;
          }));
    }
}

TEST(untrained, different_images_have_different_scores) {
  for (const std::string_view name : family_names()) {
    const Graph graph = build(small(name, 64)).value();
    reference::Interpreter interpreter(graph);
    std::vector<float> a(50);
    std::vector<float> b(50);
    ASSERT_TRUE(interpreter.run(1, noise(graph.input_shape(), 1, 2), a));
    ASSERT_TRUE(interpreter.run(1, noise(graph.input_shape(), 2, 2), b));
    std::vector<float> difference(50);
    for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
    EXPECT_GT(rms(difference), 0.02 * rms(a)) << name;
    EXPECT_GT(*std::ranges::max_element(a) - *std::ranges::min_element(a), 0.1f) << name;
  }
}

TEST(untrained, every_family_runs_at_sizes_that_32_does_not_divide) {
  for (const std::string_view name : family_names())
    for (const int resolution : {1, 7, 33, 50}) {
      for (const bool tf_padding : {false, true}) {
        FamilyConfig config = small(name, resolution, 0.35);
        config.tf_padding = tf_padding;
        const auto graph = build(config);
        ASSERT_TRUE(graph) << graph.error().message;
        std::vector<float> scores(50);
        ASSERT_TRUE(reference::Interpreter(*graph).run(1, noise(graph->input_shape(), 1, 2), scores));
        EXPECT_TRUE(std::ranges::all_of(scores, [](float v) { return std::isfinite(v); }))
            << name << " at " << resolution;
      }
    }
}

TEST(untrained, strides_change_the_maps_of_every_family) {
  for (const std::string_view name : family_names()) {
    FamilyConfig config = small(name, 64, 0.35);
    const auto pooled = [&]() -> int {
      const Graph graph = build(config).value();
      for (const Node& node : graph.nodes)
        if (std::holds_alternative<GlobalAveragePool>(node.op) &&
            (node.name == "avgpool" || node.name == "global_pool.pool"))
          return graph[node.inputs[0]].shape.h;
      return 0;
    };
    EXPECT_EQ(pooled(), 2) << name;
    config.stem_stride = 1;
    EXPECT_EQ(pooled(), 4) << name;
    // The last block becomes the one that strides, or one more that does.
    config.strides = {{block_count(config.family), 2}};
    EXPECT_EQ(pooled(), 2) << name;
  }
}

TEST(untrained, a_v4_block_without_a_depthwise_layer_cannot_stride) {
  const auto graph = build(parse_family("mobilenet_v4_conv_medium:strides=10:2").value());
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().kind, Error::Kind::kUsage);
  EXPECT_EQ(graph.error().message,
            "mobilenet_v4_conv_medium: strides=10:2: blocks.2.6 has no depthwise layer that could stride");
}

}  // namespace
}  // namespace linnet
