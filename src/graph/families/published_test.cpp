// The families against what is published about them: torchvision's and timm's own layers and scores, told by
// tests/oracles/pytorch_layers.py and pytorch_scores.py; timm's table of results; TensorFlow's block
// specifications of V4.
#include <cmath>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/families/family.h"
#include "graph/statistics.h"
#include "reference/interpreter.h"
#include "support/data.h"
#include "support/graph.h"

namespace linnet {
namespace {

using linnet::testing::find_node;
Graph built(const FamilyConfig& config) {
  auto graph = build(config);
  EXPECT_TRUE(graph) << graph.error().message;
  return *std::move(graph);
}

std::string describe(const Window& w, const Constant& bias) {
  EXPECT_EQ(w.kernel_h, w.kernel_w);
  EXPECT_EQ(w.stride_h, w.stride_w);
  const int p = w.padding.top;
  EXPECT_EQ(w.padding, (Padding{p, p, p, p}));
  return fmt::format("{} {} {} {}", w.kernel_h, w.stride_h, p, bias.absent() ? "none" : "bias");
}

/// A node as pytorch_layers.py tells a layer; empty for what is no module there.
std::string describe(const Node& node) {
  const std::string numbers = std::visit(
      Overloaded{
          [](const Convolution& o) { return "convolution " + describe(o.window, o.bias); },
          [](const Depthwise& o) { return "depthwise " + describe(o.window, o.bias); },
          [](const Linear& o) { return std::string("linear ") + (o.bias.absent() ? "none" : "bias"); },
          [](const BatchNorm& o) { return fmt::format("batch_norm {:.6g}", o.epsilon); },
          [](const Activate& o) { return fmt::format("activation {}", to_string(o.activation)); },
          [](const GlobalAveragePool&) { return std::string("global_average_pool"); },
          [](const auto&) { return std::string(); },
      },
      node.op);
  return numbers.empty() ? "" : fmt::format("{} {} {}", node.name, numbers, to_string(node.shape));
}

std::int64_t layer_outputs(const Graph& graph) {
  std::int64_t outputs = 0;
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<Convolution>(node.op) || std::holds_alternative<Depthwise>(node.op) ||
        std::holds_alternative<Linear>(node.op))
      outputs += node.shape.size();
  return outputs;
}

/// Every layer that the library has, by name and in order, and nothing else.
void expect_layers(const Graph& graph, const std::string& file) {
  std::ifstream in(testing::repository_data("families/" + file));
  ASSERT_TRUE(in) << file << " is absent";
  std::string expected;
  // torchvision's V2 pools by a function, which its modules do not tell.
  const bool pool_is_module = file.find("torchvision_mobilenet_v2") == std::string::npos;
  for (const Node& node : graph.nodes) {
    if (!pool_is_module && node.name == "avgpool") continue;
    const std::string actual = describe(node);
    if (actual.empty()) continue;
    ASSERT_TRUE(std::getline(in, expected));
    ASSERT_EQ(actual, expected);
  }
  ASSERT_TRUE(std::getline(in, expected));
  EXPECT_EQ(fmt::format("parameters {}", totals(graph).parameters), expected);
  ASSERT_TRUE(std::getline(in, expected));
  EXPECT_EQ(fmt::format("outputs {}", layer_outputs(graph)), expected);
  EXPECT_FALSE(std::getline(in, expected)) << expected;
}

/// The blocks that add their input, as their numbers in node names tell.
std::vector<std::string> residual_blocks(const Graph& graph) {
  std::vector<std::string> blocks;
  for (const Node& node : graph.nodes)
    if (std::holds_alternative<Add>(node.op)) {
      EXPECT_TRUE(node.name.ends_with(".add"));
      blocks.push_back(
          node.name.substr(node.name.find('.') + 1, node.name.size() - 4 - node.name.find('.') - 1));
    }
  return blocks;
}

TEST(published, mobilenet_v2_has_torchvisions_layers) {
  FamilyConfig config = dialect_config(Family::kMobileNetV2, Dialect::kTorchvision);
  const Graph graph = built(config);
  expect_layers(graph, "torchvision_mobilenet_v2_1.0.txt");
  EXPECT_THAT(residual_blocks(graph),
              ::testing::ElementsAre("3", "5", "6", "8", "9", "10", "12", "13", "15", "16"));
  config.width = 0.35;
  expect_layers(built(config), "torchvision_mobilenet_v2_0.35.txt");
}

TEST(published, mobilenet_v3_large_has_torchvisions_layers) {
  FamilyConfig config = dialect_config(Family::kMobileNetV3Large, Dialect::kTorchvision);
  const Graph graph = built(config);
  expect_layers(graph, "torchvision_mobilenet_v3_large_1.0.txt");
  EXPECT_THAT(residual_blocks(graph),
              ::testing::ElementsAre("1", "3", "5", "6", "8", "9", "10", "12", "14", "15"));
  config.width = 0.6;
  expect_layers(built(config), "torchvision_mobilenet_v3_large_0.6.txt");
}

TEST(published, mobilenet_v3_small_has_torchvisions_layers) {
  const Graph graph = built(dialect_config(Family::kMobileNetV3Small, Dialect::kTorchvision));
  expect_layers(graph, "torchvision_mobilenet_v3_small_1.0.txt");
  EXPECT_THAT(residual_blocks(graph), ::testing::ElementsAre("3", "5", "6", "8", "10", "11"));
}

TEST(published, a_squeeze_excite_gates_the_depthwise_output) {
  const Graph graph = built(default_config(Family::kMobileNetV3Large));
  const Node* gated = find_node(graph, "features.4.block.2.multiply");
  ASSERT_NE(gated, nullptr);
  EXPECT_EQ(graph[gated->inputs[0]].name, "features.4.block.1.2");
  EXPECT_EQ(graph[gated->inputs[1]].name, "features.4.block.2.scale_activation");
  EXPECT_EQ(graph[find_node(graph, "features.4.block.2.avgpool")->inputs[0]].name, "features.4.block.1.2");
  EXPECT_EQ(graph[find_node(graph, "features.4.block.3.0")->inputs[0]].name, "features.4.block.2.multiply");
}

TEST(published, mobilenet_v4_conv_small_has_timms_layers) {
  const Graph graph = built(default_config(Family::kMobileNetV4ConvSmall));
  expect_layers(graph, "timm_mobilenetv4_conv_small.txt");
  EXPECT_THAT(residual_blocks(graph),
              ::testing::ElementsAre("2.1", "2.2", "2.3", "2.4", "2.5", "3.1", "3.2", "3.3", "3.4", "3.5"));
}

TEST(published, mobilenet_v4_conv_medium_has_timms_layers) {
  const Graph graph = built(default_config(Family::kMobileNetV4ConvMedium));
  expect_layers(graph, "timm_mobilenetv4_conv_medium.txt");
  EXPECT_THAT(residual_blocks(graph),
              ::testing::ElementsAre("1.1", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "3.1", "3.2",
                                     "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10"));
}

// timm 1.0, `results/benchmark-infer-*.csv`, columns param_count, infer_gmacs and infer_macts, 224 pixels:
// the digits behind the point are timm's rounding. Parameters and outputs exactly: `pytorch_layers.py timm
// NAME`.
struct Published {
  const char* timm_name;
  Family family;
  double width;
  std::int64_t parameters;
  std::int64_t outputs;
  double gmacs;
};

constexpr Published kTimm[] = {
    {"mobilenetv1_100", Family::kMobileNetV1, 1.0, 4'231'976, 5'043'688, 0.58},
    {"mobilenetv1_125", Family::kMobileNetV1, 1.25, 6'270'840, 6'304'360, 0.89},
    {"mobilenetv2_035", Family::kMobileNetV2, 0.35, 1'677'128, 2'863'776, 0.07},
    {"mobilenetv2_050", Family::kMobileNetV2, 0.5, 1'968'680, 3'641'112, 0.10},
    {"mobilenetv2_075", Family::kMobileNetV2, 0.75, 2'636'424, 5'856'304, 0.22},
    {"mobilenetv2_100", Family::kMobileNetV2, 1.0, 3'504'872, 6'679'112, 0.31},
    {"mobilenetv2_140", Family::kMobileNetV2, 1.4, 6'108'776, 9'574'424, 0.60},
    {"mobilenetv3_large_075", Family::kMobileNetV3Large, 0.75, 3'993'528, 4'001'888, 0.16},
    {"mobilenetv3_large_100", Family::kMobileNetV3Large, 1.0, 5'483'032, 4'407'168, 0.23},
    {"mobilenetv3_small_050", Family::kMobileNetV3Small, 0.5, 1'593'224, 917'736, 0.03},
    {"mobilenetv3_small_075", Family::kMobileNetV3Small, 0.75, 2'041'872, 1'302'224, 0.05},
    {"mobilenetv3_small_100", Family::kMobileNetV3Small, 1.0, 2'542'856, 1'417'680, 0.06},
    {"mobilenetv4_conv_small_035", Family::kMobileNetV4ConvSmall, 0.35, 1'905'384, 982'280, 0.05},
    {"mobilenetv4_conv_small_050", Family::kMobileNetV4ConvSmall, 0.5, 2'238'952, 1'184'552, 0.07},
    {"mobilenetv4_conv_small", Family::kMobileNetV4ConvSmall, 1.0, 3'774'024, 1'965'416, 0.19},
    {"mobilenetv4_conv_medium", Family::kMobileNetV4ConvMedium, 1.0, 9'715'512, 5'803'880, 0.84},
};

TEST(published, every_width_that_timm_trained_has_its_parameters_and_macs) {
  for (const Published& p : kTimm) {
    SCOPED_TRACE(p.timm_name);
    FamilyConfig config = dialect_config(p.family, Dialect::kTimm);
    config.width = p.width;
    const Graph graph = built(config);
    EXPECT_EQ(totals(graph).parameters, p.parameters);
    EXPECT_EQ(layer_outputs(graph), p.outputs);
    // timm's counter (fvcore) adds two operations for each value that a batch norm scales, and one for each
    // that a pool sums.
    std::int64_t operations = totals(graph).macs;
    for (const Node& node : graph.nodes) {
      if (std::holds_alternative<BatchNorm>(node.op)) operations += 2 * node.shape.size();
      if (std::holds_alternative<GlobalAveragePool>(node.op))
        operations += graph[node.inputs[0]].shape.size();
    }
    EXPECT_LE(std::abs(static_cast<double>(operations) / 1e9 - p.gmacs), 0.005) << operations;
  }
}

/// The stream of pytorch_scores.py: tensors as they are asked for, then the image.
class Stream {
 public:
  AlignedVector<float> draw(std::size_t n, float low, float high) {
    AlignedVector<float> values(n);
    for (float& v : values) v = random_.uniform(low, high);
    return values;
  }
  Constant operator()(const WeightRequest& request) {
    using enum WeightRequest::Role;
    std::size_t n = 1;
    for (const int d : request.dims) n *= static_cast<std::size_t>(d);
    if (request.role == kScale || request.role == kVariance) return {request.dims, draw(n, 0.75f, 1.25f)};
    if (request.role != kWeight) return {request.dims, draw(n, -0.25f, 0.25f)};
    const int outputs = request.dims.size() == 3 ? request.dims[2] : request.dims[0];
    const auto bound =
        static_cast<float>(std::sqrt(4.0 / static_cast<double>(n / static_cast<std::size_t>(outputs))));
    return {request.dims, draw(n, -bound, bound)};
  }

 private:
  Random random_{1};
};

/// float32 rounds once a node: with some 200 nodes, 1e-5 of the largest score is wide of what was measured
/// (3e-7) and far below what a wrong kernel, stride, padding, residual or gate makes.
TEST(published, the_scores_are_those_of_pytorch_with_the_same_weights) {
  std::ifstream in(testing::repository_data("families/scores.txt"));
  int networks = 0;
  for (std::string line; std::getline(in, line); ++networks) {
    SCOPED_TRACE(line.substr(0, 60));
    std::istringstream fields(line);
    std::string library;
    std::string family;
    fields >> library >> family;
    FamilyConfig config = dialect_config(parse_family(family).value().family,
                                         library == "timm" ? Dialect::kTimm : Dialect::kTorchvision);
    fields >> config.width >> config.resolution;
    config.classes = 10;
    Stream stream;
    const Graph graph = build(config, [&](const WeightRequest& request) -> Result<Constant> {
                          return stream(request);
                        }).value();
    const auto image = stream.draw(static_cast<std::size_t>(graph.input_shape().size()), -2.0f, 2.0f);
    std::vector<float> scores(10);
    ASSERT_TRUE(reference::Interpreter(graph).run(1, image, scores));
    std::vector<double> expected(10);
    for (double& v : expected) ASSERT_TRUE(fields >> v);
    double largest = 0;
    for (const double v : expected) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5 * largest);
  }
  EXPECT_EQ(networks, 12);
}

// MobileNetV4, arXiv 2404.10518, as TensorFlow's model garden writes it down
// (official/vision/modeling/backbones/mobilenet.py, MNV4ConvSmall_BLOCK_SPECS and
// _mnv4_conv_medium_block_specs): start and middle depthwise kernel, stride, output channels, expansion; and
// what follows from them at 224 pixels.
struct Universal {
  const char* block;
  int start;
  int middle;
  int stride;
  int channels;
  int expanded;  // the input's channels times the ratio of the specification
  int side;      // of the output
};

void expect_window(const Graph& graph, const std::string& name, int kernel, int stride, Shape output) {
  const Node* node = find_node(graph, name);
  if (kernel == 0) {
    EXPECT_EQ(node, nullptr) << name;
    return;
  }
  ASSERT_NE(node, nullptr) << name;
  const auto& window = std::get<Depthwise>(node->op).window;
  EXPECT_EQ(window.kernel_h, kernel) << name;
  EXPECT_EQ(window.stride_h, stride) << name;
  EXPECT_EQ(node->shape, output) << name;
}

void expect_universal(const Graph& graph, const Universal& u) {
  const std::string name = u.block;
  const bool strides_in_the_middle = u.middle != 0;
  const Node* expansion = find_node(graph, name + ".pw_exp.conv");
  const Node* projection = find_node(graph, name + ".pw_proj.conv");
  ASSERT_NE(expansion, nullptr) << name;
  ASSERT_NE(projection, nullptr) << name;
  const int start_side = strides_in_the_middle ? u.side * u.stride : u.side;
  EXPECT_EQ(expansion->shape, (Shape{start_side, start_side, u.expanded})) << name;
  EXPECT_EQ(projection->shape, (Shape{u.side, u.side, u.channels})) << name;
  const int in_channels = graph[expansion->inputs[0]].shape.c;
  expect_window(graph, name + ".dw_start.conv", u.start, strides_in_the_middle ? 1 : u.stride,
                {start_side, start_side, in_channels});
  expect_window(graph, name + ".dw_mid.conv", u.middle, u.stride, {u.side, u.side, u.expanded});
  // The start depthwise and the projection are linear, the expansion and the middle depthwise are not.
  EXPECT_EQ(find_node(graph, name + ".dw_start.bn.act"), nullptr);
  EXPECT_NE(find_node(graph, name + ".pw_exp.bn.act"), nullptr);
  EXPECT_EQ(find_node(graph, name + ".dw_mid.bn.act") != nullptr, strides_in_the_middle);
  EXPECT_EQ(find_node(graph, name + ".pw_proj.bn.act"), nullptr);
}

TEST(published, mobilenet_v4_conv_small_follows_tensorflows_specification) {
  const Graph graph = built(default_config(Family::kMobileNetV4ConvSmall));
  EXPECT_EQ(find_node(graph, "conv_stem")->shape, (Shape{112, 112, 32}));
  EXPECT_EQ(find_node(graph, "blocks.0.0.conv")->shape, (Shape{56, 56, 32}));
  EXPECT_EQ(find_node(graph, "blocks.0.1.conv")->shape, (Shape{56, 56, 32}));
  EXPECT_EQ(find_node(graph, "blocks.1.0.conv")->shape, (Shape{28, 28, 96}));
  EXPECT_EQ(find_node(graph, "blocks.1.1.conv")->shape, (Shape{28, 28, 64}));
  for (const Universal& u : {
           Universal{"blocks.2.0", 5, 5, 2, 96, 192, 14},
           Universal{"blocks.2.1", 0, 3, 1, 96, 192, 14},
           Universal{"blocks.2.2", 0, 3, 1, 96, 192, 14},
           Universal{"blocks.2.3", 0, 3, 1, 96, 192, 14},
           Universal{"blocks.2.4", 0, 3, 1, 96, 192, 14},
           Universal{"blocks.2.5", 3, 0, 1, 96, 384, 14},
           Universal{"blocks.3.0", 3, 3, 2, 128, 576, 7},
           Universal{"blocks.3.1", 5, 5, 1, 128, 512, 7},
           Universal{"blocks.3.2", 0, 5, 1, 128, 512, 7},
           Universal{"blocks.3.3", 0, 5, 1, 128, 384, 7},
           Universal{"blocks.3.4", 0, 3, 1, 128, 512, 7},
           Universal{"blocks.3.5", 0, 3, 1, 128, 512, 7},
       })
    expect_universal(graph, u);
  EXPECT_EQ(find_node(graph, "blocks.4.0.conv")->shape, (Shape{7, 7, 960}));
  EXPECT_EQ(find_node(graph, "conv_head")->shape, (Shape{1, 1, 1280}));
}

TEST(published, mobilenet_v4_conv_medium_follows_tensorflows_specification) {
  const Graph graph = built(default_config(Family::kMobileNetV4ConvMedium));
  EXPECT_EQ(find_node(graph, "conv_stem")->shape, (Shape{112, 112, 32}));
  EXPECT_EQ(find_node(graph, "blocks.0.0.conv_exp")->shape, (Shape{56, 56, 128}));  // 3x3, ratio 4
  EXPECT_EQ(find_node(graph, "blocks.0.0.conv_pwl")->shape, (Shape{56, 56, 48}));
  EXPECT_NE(find_node(graph, "blocks.0.0.bn1.act"), nullptr);
  EXPECT_EQ(find_node(graph, "blocks.0.0.bn2.act"), nullptr);
  for (const Universal& u : {
           Universal{"blocks.1.0", 3, 5, 2, 80, 192, 28},  Universal{"blocks.1.1", 3, 3, 1, 80, 160, 28},
           Universal{"blocks.2.0", 3, 5, 2, 160, 480, 14}, Universal{"blocks.2.1", 3, 3, 1, 160, 640, 14},
           Universal{"blocks.2.2", 3, 3, 1, 160, 640, 14}, Universal{"blocks.2.3", 3, 5, 1, 160, 640, 14},
           Universal{"blocks.2.4", 3, 3, 1, 160, 640, 14}, Universal{"blocks.2.5", 3, 0, 1, 160, 640, 14},
           Universal{"blocks.2.6", 0, 0, 1, 160, 320, 14}, Universal{"blocks.2.7", 3, 0, 1, 160, 640, 14},
           Universal{"blocks.3.0", 5, 5, 2, 256, 960, 7},  Universal{"blocks.3.1", 5, 5, 1, 256, 1024, 7},
           Universal{"blocks.3.2", 3, 5, 1, 256, 1024, 7}, Universal{"blocks.3.3", 3, 5, 1, 256, 1024, 7},
           Universal{"blocks.3.4", 0, 0, 1, 256, 1024, 7}, Universal{"blocks.3.5", 3, 0, 1, 256, 1024, 7},
           Universal{"blocks.3.6", 3, 5, 1, 256, 512, 7},  Universal{"blocks.3.7", 5, 5, 1, 256, 1024, 7},
           Universal{"blocks.3.8", 0, 0, 1, 256, 1024, 7}, Universal{"blocks.3.9", 0, 0, 1, 256, 1024, 7},
           Universal{"blocks.3.10", 5, 0, 1, 256, 512, 7},
       })
    expect_universal(graph, u);
  EXPECT_EQ(find_node(graph, "blocks.4.0.conv")->shape, (Shape{7, 7, 960}));
  EXPECT_EQ(find_node(graph, "conv_head")->shape, (Shape{1, 1, 1280}));
}

}  // namespace
}  // namespace linnet
