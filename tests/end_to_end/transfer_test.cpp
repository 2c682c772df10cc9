// Models of every format as the start of a training run: a new head, a frozen half, a step of SGD.
#include "train/transfer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/any/read_model.h"
#include "support/data.h"
#include "train/loss.h"
#include "train/optimizer.h"

namespace linnet::train {
namespace {

/// Noise of three colours, learnt a little in ten steps of the layers behind the first `frozen`.
void expect_it_learns(const Graph& graph, int frozen) {
  constexpr int kImages = 9, kClasses = 3;
  ThreadPool pool(2);
  Network network = Network::make(graph, kImages, pool, {.frozen_layers = frozen}).value();
  std::vector<float> images(static_cast<std::size_t>(kImages * graph.input_shape().size()));
  Random random(1);
  const std::size_t size = images.size() / kImages;
  for (std::size_t i = 0; i < images.size(); ++i)  // an image's class is its colour
    images[i] = random.uniform(-0.5f, 0.5f) + (i % 3 == i / size % kClasses ? 0.5f : -0.5f);
  ASSERT_TRUE(network.restate_norms(images));
  const auto optimizer = make_adamw(network.parameters(), {});
  std::vector<float> targets(kImages * kClasses);
  const std::vector<int> labels = {0, 1, 2, 0, 1, 2, 0, 1, 2};
  fill_targets(labels, kClasses, 0, targets);
  double first = 0, last = 0;
  for (int step = 0; step < 10; ++step) {
    const auto scores = network.forward(images, true).value();
    std::vector<float> d_scores(scores.size());
    last = softmax_cross_entropy(scores, targets, kClasses, d_scores).mean;
    if (step == 0) first = last;
    ASSERT_TRUE(network.backward(d_scores));
    optimizer->step(1e-3f, pool);
  }
  EXPECT_LT(last, 0.98 * first) << graph.name;
}

class transfer_of : public ::testing::TestWithParam<const char*> {};

TEST_P(transfer_of, a_float_model_learns_other_classes) {
  LINNET_DATA_OR_SKIP(path, std::string("models/") + GetParam());
  const Graph trained = formats::read_model(path).value();
  const Graph graph = replace_head(trained, {"a", "b", "c"}, 1).value();
  EXPECT_EQ(graph.preprocessing, trained.preprocessing);
  const Graph smaller = with_norms(with_resolution(graph, 64).value());
  expect_it_learns(smaller, 0);
  expect_it_learns(smaller, backbone_layers(smaller) / 2);
}

INSTANTIATE_TEST_SUITE_P(
    every_format, transfer_of,
    ::testing::Values("huggingface/mobilenet_v2_1.0_224", "huggingface/mobilenet_v1_0.75_224",
                      "torchvision/mobilenet_v2.pth", "tflite/mobilenet_v1_0.25_224_float32.tflite",
                      "tflite/vww_96_float.tflite", "onnx/st_mobilenet_v2_0.35_128_tfs_channel_first.onnx"));

TEST(transfer_of_int8, an_int8_model_is_refused) {
  LINNET_DATA_OR_SKIP(path, "models/onnx/mobilenetv2_qdq_int8_perchannel.onnx");
  const auto refused = replace_head(formats::read_model(path).value(), {"a", "b"}, 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("start from the float model"), std::string::npos);
}

}  // namespace
}  // namespace linnet::train
