// TensorFlow Lite's int8 files: each layer, fed what the file's own arithmetic gives, beside Linnet's. The
// two differ by one unit at most, and as often as TensorFlow Lite's second rounding says: next to never where
// a layer's factor s_x * s_w / s_y is small, in one value of eight where it is 1/4.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "formats/tflite/reader.h"
#include "formats/tflite/test_model.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "reference/int8.h"
#include "support/data.h"
#include "support/graph.h"
#include "support/tflite_arithmetic.h"

namespace linnet {
namespace {

/// What one layer gave on all pictures.
struct Layer {
  std::string name;
  std::size_t values = 0;
  std::size_t equal = 0;       ///< to TensorFlow Lite's arithmetic
  std::size_t equal_once = 0;  ///< to that of a TensorFlow Lite that rounds once
  int worst = 0;               ///< difference, in units of the stored value
  double expected = 0;         ///< share that rounding twice changes
  double share() const { return static_cast<double>(equal) / static_cast<double>(values); }
  double share_once() const { return static_cast<double>(equal_once) / static_cast<double>(values); }
  /// 99 %, or less where rounding twice is expected to change more, by four standard deviations.
  double least_share() const {
    const double slack = 4 * std::sqrt(expected / static_cast<double>(values));
    return 1 - std::max(0.01, expected + slack);
  }
};

/// Every layer of the graph on the pictures. The inputs come from TensorFlow Lite's arithmetic, so that no
/// layer is charged with the differences of those before it.
std::vector<Layer> layers_beside_tflite(const Graph& graph, const std::vector<std::vector<float>>& pictures) {
  std::vector<Layer> layers(graph.nodes.size());
  for (const std::vector<float>& picture : pictures) {
    const auto input = reference::quantize_image(picture, *graph.nodes[0].quantization);
    std::vector<std::vector<std::int8_t>> outputs = {{input.begin(), input.end()}};
    for (NodeId id = 1; id < graph.size(); ++id) {
      std::vector<std::span<const std::int8_t>> inputs;
      for (const NodeId i : graph[id].inputs) inputs.emplace_back(outputs[static_cast<std::size_t>(i)]);
      auto theirs = testing::compute_as_tflite({graph, id, inputs});
      const auto once = testing::compute_as_tflite({graph, id, inputs, testing::TfliteRounding::kOnce});
      if (!theirs || !once) {
        ADD_FAILURE() << graph[id].name << ": TensorFlow Lite's arithmetic is not known";
        return {};
      }
      const auto ours = reference::compute_int8(graph, id, inputs);
      Layer& layer = layers[static_cast<std::size_t>(id)];
      layer.name = graph[id].name;
      layer.expected = testing::TfliteNode{graph, id, inputs}.expected_difference();
      layer.values += ours.size();
      for (std::size_t i = 0; i < ours.size(); ++i) {
        const int difference = std::abs(ours[i] - (*theirs)[i]);
        layer.equal += difference == 0;
        layer.equal_once += ours[i] == (*once)[i];
        layer.worst = std::max(layer.worst, difference);
      }
      outputs.push_back(*std::move(theirs));
    }
  }
  layers.erase(layers.begin());
  return layers;
}

void expect_close(const Graph& graph, const std::vector<std::vector<float>>& pictures) {
  const std::vector<Layer> layers = layers_beside_tflite(graph, pictures);
  ASSERT_FALSE(layers.empty());
  for (const Layer& layer : layers) {
    EXPECT_LE(layer.worst, 1) << graph.name << ": " << layer.name;
    EXPECT_GE(layer.share(), layer.least_share()) << graph.name << ": " << layer.name;
    EXPECT_GE(layer.share_once(), 0.99) << graph.name << ": " << layer.name;
  }
  const Layer& least = *std::ranges::min_element(layers, {}, &Layer::share);
  const Layer& once = *std::ranges::min_element(layers, {}, &Layer::share_once);
  fmt::print(
      "{}: {} layers, worst difference {}, {} layers at least 99 % equal, lowest {:.3f} % ({}, {:.3f} % "
      "expected); to one rounding {:.3f} % ({})\n",
      graph.name, layers.size(), std::ranges::max(layers, {}, &Layer::worst).worst,
      std::ranges::count_if(layers, [](const Layer& l) { return l.share() >= 0.99; }), 100 * least.share(),
      least.name, 100 * (1 - least.expected), 100 * once.share_once(), once.name);
}

void expect_close(const std::string& model, const std::vector<std::string>& names) {
  LINNET_DATA_OR_SKIP(file, "models/tflite/" + model + ".tflite");
  const auto graph = formats::read_tflite(file);
  ASSERT_TRUE(graph) << graph.error().message;
  std::vector<std::vector<float>> pictures;
  for (const std::string& name : names) {
    LINNET_DATA_OR_SKIP(path, name);
    const auto picture = image::read_image(path);
    ASSERT_TRUE(picture) << picture.error().message;
    std::vector<float>& values = pictures.emplace_back(static_cast<std::size_t>(graph->input_shape().size()));
    ASSERT_TRUE(image::preprocess(*picture, *graph->preprocessing, graph->input_shape(), values));
  }
  expect_close(*graph, pictures);
}

const std::vector<std::string> kParrot = {"photos/misc/coral_parrot.jpg"};

TEST(tflite_int8, layers_of_v1_0_25_in_uint8_lie_within_one_unit) {
  expect_close("mobilenet_v1_0.25_224_quant", kParrot);
}
TEST(tflite_int8, layers_of_v1_0_5_in_uint8_lie_within_one_unit) {
  expect_close("mobilenet_v1_0.5_160_quant", kParrot);
}
TEST(tflite_int8, layers_of_v2_in_uint8_lie_within_one_unit) {
  expect_close("mobilenet_v2_1.0_224_quant", kParrot);
}
TEST(tflite_int8, layers_of_v2_in_int8_lie_within_one_unit) {
  expect_close("tf2_mobilenet_v2_1.0_224_ptq", kParrot);
}
TEST(tflite_int8, layers_of_visual_wake_words_lie_within_one_unit) {
  expect_close("vww_96_int8", {"vww/person.bmp", "vww/no_person.bmp"});
}

// ---- A model of our own ----

/// Residual block of random weights, as the converter writes it.
class RandomModel : public formats::TestModel {
 public:
  using Code = formats::Code;
  explicit RandomModel(std::uint64_t seed) : random_(seed) {}

  std::vector<std::byte> build() {
    using formats::schema::Padding;
    const std::vector<int> map = {1, 12, 12, 16};
    int x = q(input({1, 24, 24, 3}), 1 / 128.0f, 0);
    scale_ = 1 / 128.0f;
    x = layer(Code::CONV_2D, x, {16, 3, 3, 3}, 0, map,
              formats::conv(Padding::SAME, 2, formats::Function::RELU6));
    const int wide = layer(Code::CONV_2D, x, {64, 1, 1, 16}, 0, {1, 12, 12, 64},
                           formats::conv(Padding::SAME, 1, formats::Function::RELU));
    const int deep = layer(Code::DEPTHWISE_CONV_2D, wide, {1, 3, 3, 64}, 3, {1, 12, 12, 64},
                           formats::depthwise(Padding::SAME, 1, formats::Function::RELU6));
    const int back = layer(Code::CONV_2D, deep, {16, 1, 1, 64}, 0, map, formats::conv());
    x = q(op(Code::ADD, {x, back}, map, formats::schema::AddOptionsT()), 0.051f, -4);
    x = q(op(Code::PAD, {x, integers({4, 2}, {0, 0, 1, 0, 0, 1, 0, 0})}, {1, 13, 13, 16}), 0.051f, -4);
    x = q(op(Code::MEAN, {x, integers({2}, {1, 2})}, {1, 16}), 0.02f, -9);
    scale_ = 0.02f;
    return bytes(
        layer(Code::FULLY_CONNECTED, x, {500, 16}, 0, {1, 500}, formats::schema::FullyConnectedOptionsT()));
  }

 private:
  int q(int tensor, float scale, int zero) {
    return quantize(tensor, formats::schema::TensorType::INT8, {scale}, zero);
  }

  /// Weights of one scale a channel, and an output whose scale suits their sums.
  template <class Options>
  int layer(Code code, int x, std::vector<int> dims, int axis, std::vector<int> out, Options options) {
    std::size_t n = 1;
    for (const int d : dims) n *= static_cast<std::size_t>(d);
    std::vector<std::int8_t> weights(n);
    for (std::int8_t& w : weights) w = static_cast<std::int8_t>(static_cast<int>(random_.below(255)) - 127);
    const auto channels = static_cast<std::size_t>(dims[static_cast<std::size_t>(axis)]);
    std::vector<float> scales(channels), bias_scales(channels);
    std::vector<std::int32_t> bias(channels);
    for (std::size_t k = 0; k < channels; ++k) {
      scales[k] = random_.uniform(0.002f, 0.02f);
      bias_scales[k] = scale_ * scales[k];
      bias[k] = static_cast<std::int32_t>(random_.below(2001)) - 1000;
    }
    const auto taps = static_cast<float>(n / channels);
    const int w = int8s(std::move(dims), weights, std::move(scales), axis);
    const int b = int32s(bias, std::move(bias_scales));
    const int y = op(code, {x, w, b}, std::move(out), std::move(options));
    scale_ = scale_ * std::sqrt(taps) * random_.uniform(0.4f, 0.8f);
    return q(y, scale_, static_cast<int>(random_.below(256)) - 128);
  }

  Random random_;
  float scale_ = 0;  ///< of the last layer
};

TEST(tflite_int8, layers_of_a_model_of_our_own_lie_within_one_unit) {
  const auto graph = formats::read_tflite(RandomModel(1).build(), "random");
  ASSERT_TRUE(graph) << graph.error().message;
  std::vector<std::vector<float>> pictures;
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    pictures.push_back(testing::noise(graph->input_shape(), seed));
  expect_close(*graph, pictures);
}

}  // namespace
}  // namespace linnet
