// From a photograph to logits, across formats, image and the executors: against PyTorch's, for real weights.
#include <algorithm>
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cpu/executor.h"
#include "formats/pth/pth.h"
#include "formats/safetensors/safetensors.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

struct Case {
  const char* model;
  const char* logits;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.model; }

constexpr Case kCases[] = {
    {"models/huggingface/mobilenet_v2_1.0_224", "reference/mobilenet_v2_1.0_224.json"},
    {"models/huggingface/mobilenet_v1_0.75_224", "reference/mobilenet_v1_0.75_224.json"},
    {"models/huggingface/mobilenet_v1_0.25_224", "reference/mobilenet_v1_0.25_224.json"},
    {"models/torchvision/mobilenet_v2.pth", "reference/torchvision_mobilenet_v2.json"},
};

Result<Graph> read(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) ? formats::read_huggingface(path) : formats::read_pth(path);
}

/// Largest difference from PyTorch's logits as a share of the largest of these. The file rounds to five
/// decimals.
double distance(std::span<const float> logits, const std::vector<double>& expected) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(logits[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return difference / largest;
}

class Logits : public ::testing::TestWithParam<Case> {
 protected:
  /// Runs the first `photographs` of the reference file through `executor`; the goal is 1e-4 of the largest
  /// logit.
  static void expect_pytorchs(Executor& executor, const std::filesystem::path& file,
                              std::size_t photographs) {
    const Graph& graph = executor.graph();
    const auto reference = nlohmann::ordered_json::parse(std::ifstream(file));
    const auto preprocessing = graph.preprocessing
                                   ? graph.preprocessing
                                   : dialect_preprocessing(graph.dialect, graph.input_shape().h);
    ASSERT_TRUE(preprocessing);
    std::size_t seen = 0;
    for (const auto& [name, logits] : reference["logits"].items()) {
      if (seen++ == photographs) break;
      const auto picture = image::read_image(testing::shared_data_root() / "photos/imagenet" / name);
      ASSERT_TRUE(picture) << picture.error().message;
      std::vector<float> input(static_cast<std::size_t>(graph.input_shape().size()));
      ASSERT_TRUE(image::preprocess(*picture, *preprocessing, graph.input_shape(), input));
      std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
      ASSERT_TRUE(executor.run(1, input, scores));
      const auto expected = logits.get<std::vector<double>>();
      ASSERT_EQ(expected.size(), scores.size());
      EXPECT_LE(distance(scores, expected), 1e-4) << name;
    }
    EXPECT_GE(seen, photographs);
  }
};

TEST_P(Logits, the_reference_gives_pytorchs_for_a_photograph) {
  LINNET_DATA_OR_SKIP(model, GetParam().model);
  LINNET_DATA_OR_SKIP(logits, GetParam().logits);
  const auto graph = read(model);
  ASSERT_TRUE(graph) << graph.error().message;
  reference::Interpreter interpreter(*graph);
  expect_pytorchs(interpreter, logits, 1);
}

TEST_P(Logits, the_cpu_gives_pytorchs_for_every_photograph) {
  LINNET_DATA_OR_SKIP(model, GetParam().model);
  LINNET_DATA_OR_SKIP(logits, GetParam().logits);
  const auto graph = read(model);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto executor = cpu::make_executor(*graph);
  ASSERT_TRUE(executor) << executor.error().message;
  expect_pytorchs(**executor, logits, 12);
}

INSTANTIATE_TEST_SUITE_P(real_weights, Logits, ::testing::ValuesIn(kCases), [](const auto& model) {
  std::string name = std::filesystem::path(model.param.logits).stem().string();
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace linnet
