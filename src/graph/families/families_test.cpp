#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/families/family.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet {
namespace {

using linnet::testing::find_node;
using ::testing::HasSubstr;

std::string complaint(std::string_view text) {
  const auto config = parse_family(text);
  if (config) return "";
  EXPECT_EQ(config.error().kind, Error::Kind::kUsage) << text;
  return config.error().message;
}

Padding padding_of(const Graph& graph, std::string_view name) {
  const Node* node = find_node(graph, name);
  if (node == nullptr) return {-1, -1, -1, -1};
  if (const auto* conv = std::get_if<Convolution>(&node->op)) return conv->window.padding;
  return std::get<Depthwise>(node->op).window.padding;
}

TEST(family, a_text_with_every_key_is_read) {
  const auto config =
      parse_family("mobilenet_v2:width=0.35,resolution=144,classes=10,seed=7,stem_stride=1,strides=14:1;2:1");
  ASSERT_TRUE(config) << config.error().message;
  FamilyConfig expected = default_config(Family::kMobileNetV2);
  expected.width = 0.35;
  expected.resolution = 144;
  expected.classes = 10;
  expected.seed = 7;
  expected.stem_stride = 1;
  expected.strides = {{14, 1}, {2, 1}};
  EXPECT_EQ(*config, expected);
  EXPECT_EQ(to_string(*config),
            "mobilenet_v2:width=0.35,resolution=144,classes=10,seed=7,stem_stride=1,strides=14:1;2:1");
}

TEST(family, a_bare_name_is_the_family_of_the_paper) {
  for (const std::string_view name : family_names()) {
    EXPECT_TRUE(names_family(name)) << name;
    const auto config = parse_family(name);
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config, default_config(config->family));
    EXPECT_EQ(to_string(*config), name);
  }
  EXPECT_TRUE(names_family("mobilenet_v1:width=9"));
  EXPECT_FALSE(names_family("mobilenet_v5"));
  EXPECT_FALSE(names_family("mobilenet_v2.pth"));
  EXPECT_FALSE(names_family(""));
}

TEST(family, what_is_wrong_in_a_text_is_said_with_what_is_legal) {
  EXPECT_EQ(complaint("resnet:width=1"),
            "\"resnet\" is not a network family; the families are mobilenet_v1, mobilenet_v2, "
            "mobilenet_v3_large, mobilenet_v3_small, mobilenet_v4_conv_small, mobilenet_v4_conv_medium");
  EXPECT_EQ(
      complaint("mobilenet_v2:colour=red"),
      "mobilenet_v2: unknown key \"colour\"; the keys are width, resolution, classes, seed, stem_stride, "
      "strides, written mobilenet_v2:width=0.5,strides=14:1;2:1");
  EXPECT_EQ(complaint("mobilenet_v1:width=wide"), "mobilenet_v1: width=wide: expected a number");
  EXPECT_EQ(complaint("mobilenet_v1:width="), "mobilenet_v1: width=: expected a number");
  EXPECT_EQ(complaint("mobilenet_v1:classes=1e3"), "mobilenet_v1: classes=1e3: expected a number");
  EXPECT_EQ(complaint("mobilenet_v1:width=0"),
            "mobilenet_v1: width=0 is out of range; it is above 0 and at most 4");
  EXPECT_THAT(complaint("mobilenet_v1:width=nan"), HasSubstr("width=nan is out of range"));
  EXPECT_THAT(complaint("mobilenet_v1:width=-1"), HasSubstr("width=-1 is out of range"));
  EXPECT_EQ(complaint("mobilenet_v1:resolution=0"),
            "mobilenet_v1: resolution=0 is out of range; it goes from 1 to 4096");
  EXPECT_THAT(complaint("mobilenet_v1:classes=65537"), HasSubstr("it goes from 1 to 65536"));
  EXPECT_THAT(complaint("mobilenet_v1:seed=-1"), HasSubstr("seed=-1: expected a number"));
  EXPECT_THAT(complaint("mobilenet_v1:stem_stride=3"), HasSubstr("it goes from 1 to 2"));
  EXPECT_EQ(complaint("mobilenet_v1:strides=14:1"),
            "mobilenet_v1: strides=14:1: the blocks are numbered 1 to 13");
  EXPECT_EQ(complaint("mobilenet_v2:strides=2:3"), "mobilenet_v2: strides=2:3: a block's stride is 1 or 2");
  EXPECT_EQ(complaint("mobilenet_v2:strides=2:1;2:2"), "mobilenet_v2: strides: block 2 is named twice");
  EXPECT_EQ(complaint("mobilenet_v2:strides=2"),
            "mobilenet_v2: strides=2: expected BLOCK:STRIDE pairs, as in strides=14:1;2:1");
  EXPECT_THAT(complaint("mobilenet_v2:strides="), HasSubstr("strides=: expected BLOCK:STRIDE pairs"));
  EXPECT_EQ(complaint("mobilenet_v2:width=1,width=1"), "mobilenet_v2: the key width stands twice");
}

TEST(family, a_config_out_of_range_is_not_built) {
  FamilyConfig config = default_config(Family::kMobileNetV2);
  config.divisor = 0;
  const auto graph = build(config);
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().message, HasSubstr("divisor=0 is out of range"));
}

TEST(family, each_dialect_has_its_librarys_conventions) {
  for (const std::string_view name : family_names()) {
    const Family family = parse_family(name)->family;
    for (const Dialect dialect :
         {Dialect::kHuggingFace, Dialect::kTorchvision, Dialect::kTimm, Dialect::kTensorflow}) {
      FamilyConfig config = dialect_config(family, dialect);
      config.resolution = 32;
      config.width = 0.25;
      const auto graph = build(config);
      ASSERT_TRUE(graph) << name << ": " << graph.error().message;
      EXPECT_EQ(graph->dialect, dialect);
    }
  }
  const FamilyConfig huggingface = dialect_config(Family::kMobileNetV2, Dialect::kHuggingFace);
  EXPECT_TRUE(huggingface.tf_padding);
  EXPECT_EQ(huggingface.batch_norm_epsilon, 1e-3f);
  EXPECT_EQ(huggingface.channel_rule, ChannelRule::kRoundedDivisible);
  EXPECT_EQ(dialect_config(Family::kMobileNetV1, Dialect::kTimm).channel_rule, ChannelRule::kDivisible);
  EXPECT_EQ(dialect_config(Family::kMobileNetV3Large, Dialect::kTorchvision).batch_norm_epsilon, 1e-3f);
  EXPECT_EQ(dialect_config(Family::kMobileNetV3Large, Dialect::kTimm).batch_norm_epsilon, 1e-5f);
  EXPECT_TRUE(dialect_config(Family::kMobileNetV3Large, Dialect::kTensorflow).tf_padding);
}

TEST(family, channels_are_scaled_as_each_library_does) {
  FamilyConfig config;
  const auto scaled = [&](double width, int channels) {
    config.width = width;
    return scale_channels(config, channels);
  };
  EXPECT_EQ(scaled(1.0, 32), 32);
  EXPECT_EQ(scaled(0.35, 32), 16);  // 11.2 would lose more than a tenth at 8
  EXPECT_EQ(scaled(0.35, 24), 8);   // 8.4
  EXPECT_EQ(scaled(0.75, 16), 16);  // 12: the tie goes up
  EXPECT_EQ(scaled(1.4, 32), 48);   // 44.8
  EXPECT_EQ(scaled(0.01, 320), 8);  // never narrower than min_depth
  EXPECT_EQ(scaled(0.65, 96), 64);  // 62.4

  // 17 * 0.68 = 11.56: rounded first it is the tie 12.
  EXPECT_EQ(scaled(0.68, 17), 16);
  config.min_depth = 4;
  config.divisor = 4;
  EXPECT_EQ(scaled(0.97, 14), 12 + 4);  // 13.58
  EXPECT_EQ(scaled(0.54, 25), 12 + 4);  // 13.5
  config.channel_rule = ChannelRule::kRoundedDivisible;
  EXPECT_EQ(scaled(0.54, 25), 16);  // 13.5 rounds to 14, a tie at 4
  EXPECT_EQ(scaled(0.5, 27), 16);   // 13.5 rounds to even: 14

  config.channel_rule = ChannelRule::kTruncated;
  config.min_depth = 8;
  EXPECT_EQ(scaled(0.75, 32), 24);
  EXPECT_EQ(scaled(0.55, 64), 35);
  EXPECT_EQ(scaled(0.1, 32), 8);
}

TEST(family, a_width_is_found_from_channels) {
  FamilyConfig config = default_config(Family::kMobileNetV2);
  for (const double width : {0.35, 0.5, 0.75, 1.0, 1.4}) {
    config.width = width;
    std::vector<ChannelPair> pairs;
    for (const int c : {32, 16, 24, 64, 96, 160, 320}) pairs.push_back({c, scale_channels(config, c)});
    const auto found = find_width(config, pairs);
    ASSERT_TRUE(found);
    for (const ChannelPair& p : pairs) {
      config.width = *found;
      EXPECT_EQ(scale_channels(config, p.nominal), p.actual);
    }
  }
  EXPECT_FALSE(find_width(config, std::vector<ChannelPair>{{32, 32}, {64, 32}}));
}

TEST(family, tensorflows_padding_follows_the_size_of_each_map) {
  FamilyConfig config = default_config(Family::kMobileNetV1);
  config.width = 0.25;
  config.resolution = 96;
  config.classes = 2;
  config.tf_padding = true;
  const Graph even = build(config).value();
  EXPECT_EQ(padding_of(even, "features.0.0"), (Padding{0, 1, 0, 1}));         // stride 2 on 96
  EXPECT_EQ(padding_of(even, "features.1.conv.0.0"), (Padding{1, 1, 1, 1}));  // stride 1
  EXPECT_EQ(padding_of(even, "features.1.conv.1.0"), Padding{});              // 1x1
  config.resolution = 97;
  EXPECT_EQ(padding_of(build(config).value(), "features.0.0"), (Padding{1, 1, 1, 1}));
  config.tf_padding = false;
  config.resolution = 96;
  EXPECT_EQ(padding_of(build(config).value(), "features.0.0"), (Padding{1, 1, 1, 1}));
}

TEST(family, hugging_faces_v2_differs_from_torchvisions_where_its_config_says_so) {
  FamilyConfig config = default_config(Family::kMobileNetV2);
  config.width = 0.25;
  config.resolution = 32;
  EXPECT_NE(find_node(build(config).value(), "features.1.add"), nullptr);  // 8 channels to 8
  config.first_block_residual = false;
  EXPECT_EQ(find_node(build(config).value(), "features.1.add"), nullptr);

  config.width = 0.5;
  EXPECT_EQ(find_node(build(config).value(), "features.18.0")->shape.c, 1280);
  config.last_channels = LastChannels::kScaled;
  EXPECT_EQ(find_node(build(config).value(), "features.18.0")->shape.c, 640);

  EXPECT_TRUE(std::holds_alternative<Depthwise>(find_node(build(config).value(), "features.1.conv.0.0")->op));
  config.first_layer_is_expansion = false;
  const Graph expanding = build(config).value();
  EXPECT_TRUE(std::holds_alternative<Convolution>(find_node(expanding, "features.1.conv.0.0")->op));
  EXPECT_TRUE(std::holds_alternative<Depthwise>(find_node(expanding, "features.1.conv.1.0")->op));

  config.batch_norm_epsilon = 1e-3f;
  config.activation = Activation::kRelu;
  const Graph relu = build(config).value();
  EXPECT_EQ(std::get<BatchNorm>(find_node(relu, "features.0.1")->op).epsilon, 1e-3f);
  EXPECT_EQ(std::get<Activate>(find_node(relu, "features.0.2")->op).activation, Activation::kRelu);

  config.expand_ratio = 3.0;  // 12 channels expand to 36: 40 once rounded to 8
  config.channel_rule = ChannelRule::kRoundedDivisible;
  config.divisor = 4;
  config.min_depth = 4;
  EXPECT_EQ(find_node(build(config).value(), "features.4.conv.0.0")->shape.c, 36);
}

TEST(family, a_weight_source_is_asked_for_every_tensor_by_its_name_in_a_state_dict) {
  std::vector<std::string> asked;
  const FamilyConfig config = parse_family("mobilenet_v2:resolution=32,classes=10").value();
  const WeightSource source = [&](const WeightRequest& request) -> Result<Constant> {
    asked.push_back(request.name);
    std::size_t n = 1;
    for (const int d : request.dims) n *= static_cast<std::size_t>(d);
    return Constant(request.dims, AlignedVector<float>(n, 1.0f));
  };
  ASSERT_TRUE(build(config, source));
  EXPECT_EQ(asked.size(), 262u);  // torchvision's state dict without num_batches_tracked: 52 * 5 + 2
  EXPECT_EQ(asked[0], "features.0.0.weight");
  EXPECT_EQ(asked[1], "features.0.1.weight");
  EXPECT_EQ(asked[4], "features.0.1.running_var");
  EXPECT_EQ(asked.back(), "classifier.1.bias");

  const WeightSource refusing = [&](const WeightRequest& request) -> Result<Constant> {
    if (request.name == "features.3.conv.0.0.weight") return fail("{} is missing", request.name);
    return source(request);
  };
  const auto graph = build(config, refusing);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().message, "features.3.conv.0.0.weight is missing");

  const WeightSource misshapen = [&](const WeightRequest& request) -> Result<Constant> {
    return request.name == "features.3.conv.2.weight" ? Constant({1}, {0.0f}) : source(request);
  };
  const auto wrong = build(config, misshapen);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("node \"features.3.conv.2\" (convolution): weight is [1]"));
}

}  // namespace
}  // namespace linnet
