// Linnet against ONNX Runtime: what Linnet exports, and what others exported.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

using Values = std::vector<float>;

std::filesystem::path oracles() {
  const char* folder = std::getenv("LINNET_ORACLES");
  return folder ? std::filesystem::path(folder)
                : std::filesystem::path(LINNET_SOURCE_DIR) / "build" / "oracles";
}

#define LINNET_ONNXRUNTIME_OR_SKIP()                                                                   \
  if (!std::filesystem::exists(oracles() / "node_modules" / "onnxruntime-node"))                       \
  GTEST_SKIP() << "ONNX Runtime is not in " << oracles().string()                                      \
               << "; npm install --ignore-scripts --prefix build/oracles onnxruntime-node@1.30.0, or " \
                  "./check --long, installs it"

/// Images in ONNX's order of axes, from HWC.
Values nchw(const Values& images, const Shape& shape) {
  Values result(images.size());
  const auto pixels = static_cast<std::size_t>(shape.pixels());
  const auto channels = static_cast<std::size_t>(shape.c);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::size_t image = i / (pixels * channels), pixel = i / channels % pixels, channel = i % channels;
    result[(image * channels + channel) * pixels + pixel] = images[i];
  }
  return result;
}

Values onnxruntime_scores(const std::filesystem::path& model, const Values& input) {
  const testing::ScratchFolder folder;
  const auto input_path = folder.path() / "input.f32";
  const auto output_path = folder.path() / "output.f32";
  std::ofstream(input_path, std::ios::binary)
      .write(reinterpret_cast<const char*>(input.data()),
             static_cast<std::streamsize>(input.size() * sizeof(float)));
  const std::string command =
      fmt::format("node '{}' '{}' '{}' '{}'", LINNET_SOURCE_DIR "/tests/oracles/onnxruntime.mjs",
                  model.string(), input_path.string(), output_path.string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream file(output_path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  Values scores(bytes.size() / sizeof(float));
  std::memcpy(scores.data(), bytes.data(), scores.size() * sizeof(float));
  return scores;
}

Values linnet_scores(const Graph& graph, const Values& images) {
  const auto n = images.size() / static_cast<std::size_t>(graph.input_shape().size());
  Values scores(n * static_cast<std::size_t>(graph.output_shape().size()));
  const auto ran = reference::Interpreter(graph).run(static_cast<int>(n), images, scores);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return scores;
}

Values noise(const Shape& shape, std::size_t images, std::uint64_t seed) {
  Values values(static_cast<std::size_t>(shape.size()) * images);
  Random random(seed);
  for (float& v : values) v = random.uniform(-2, 2);
  return values;
}

/// The two differ by less than `tolerance` of the largest score.
void expect_close(const Values& ours, const Values& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_TRUE(std::isfinite(ours[i]) && std::isfinite(theirs[i]));
    largest = std::max(largest, std::abs(double{theirs[i]}));
    difference = std::max(difference, std::abs(double{ours[i]} - double{theirs[i]}));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(difference, tolerance * largest);
  ::testing::Test::RecordProperty("difference", fmt::format("{:.3g}", difference / largest));
  fmt::print("largest difference {:.3g} of the largest score\n", difference / largest);
}

class Exported : public ::testing::TestWithParam<const char*> {};

TEST_P(Exported, scores_are_those_of_onnxruntime) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  const auto config = parse_family(fmt::format("{}:resolution=64,classes=100,seed=7", GetParam()));
  ASSERT_TRUE(config) << config.error().message;
  const Graph graph = build(*config).value();
  const testing::ScratchFolder folder;
  const auto model = folder.path() / "model.onnx";
  ASSERT_TRUE(formats::write_onnx(graph, model));
  const Values images = noise(graph.input_shape(), 2, 11);
  expect_close(linnet_scores(graph, images), onnxruntime_scores(model, nchw(images, graph.input_shape())),
               1e-4);
}

INSTANTIATE_TEST_SUITE_P(onnxruntime, Exported,
                         ::testing::Values("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large",
                                           "mobilenet_v3_small", "mobilenet_v4_conv_small",
                                           "mobilenet_v4_conv_medium"),
                         [](const auto& family) { return std::string(family.param); });

TEST(onnxruntime, a_model_from_tf2onnx_gives_the_same_scores) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  LINNET_DATA_OR_SKIP(model, "models/onnx/st_mobilenet_v2_0.35_128_tfs_channel_first.onnx");
  const auto graph = formats::read_onnx(model);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{128, 128, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 5}));
  EXPECT_EQ(graph->dialect, Dialect::kTensorflow);
  const Values images = noise(graph->input_shape(), 2, 12);
  const Values theirs = onnxruntime_scores(model, nchw(images, graph->input_shape()));
  expect_close(linnet_scores(*graph, images), theirs, 1e-4);

  // What Linnet writes again computes the same.
  const testing::ScratchFolder folder;
  const auto again = folder.path() / "again.onnx";
  ASSERT_TRUE(formats::write_onnx(canonical(*graph), again));
  expect_close(linnet_scores(canonical(*graph), images),
               onnxruntime_scores(again, nchw(images, graph->input_shape())), 1e-4);
}

}  // namespace
}  // namespace linnet
