// Linnet against ONNX Runtime: what Linnet exports, and what others exported.
#include "onnxruntime.h"

#include "cpu/executor.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "reference/interpreter.h"
#include "support/data.h"

namespace linnet {
namespace {

using oracles::expect_close;
using oracles::onnxruntime_scores;
using oracles::scores_of;
using oracles::to_chw;
using oracles::Values;

constexpr double kTolerance = 1e-4;  // of the largest score

Values reference_scores(const Graph& graph, const Values& images) {
  reference::Interpreter interpreter(graph);
  return scores_of(interpreter, images);
}

Values cpu_scores(const Graph& graph, const Values& images) {
  const auto executor = cpu::make_executor(graph);
  EXPECT_TRUE(executor) << (executor ? "" : executor.error().message);
  return executor ? scores_of(**executor, images) : Values{};
}

class Exported : public ::testing::TestWithParam<const char*> {
 protected:
  /// Exports the family at this resolution and hands the graph, images and ONNX Runtime's scores to `check`.
  template <class Check>
  void compare(int resolution, Check check) {
    const auto config =
        parse_family(fmt::format("{}:resolution={},classes=100,seed=7", GetParam(), resolution));
    ASSERT_TRUE(config) << config.error().message;
    const Graph graph = build(*config).value();
    const testing::ScratchFolder folder;
    const auto model = folder.path() / "model.onnx";
    ASSERT_TRUE(formats::write_onnx(graph, model));
    const Values images = linnet::testing::noise(graph.input_shape(), 11, 2, 2);
    check(graph, images, onnxruntime_scores(model, to_chw(images, graph.input_shape())));
  }
};

TEST_P(Exported, the_reference_gives_onnxruntimes_scores) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  compare(64, [](const Graph& graph, const Values& images, const Values& theirs) {
    expect_close(reference_scores(graph, images), theirs, kTolerance);
  });
}

TEST_P(Exported, the_cpu_gives_onnxruntimes_scores_at_224) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  compare(224, [](const Graph& graph, const Values& images, const Values& theirs) {
    expect_close(cpu_scores(graph, images), theirs, kTolerance);
  });
}

INSTANTIATE_TEST_SUITE_P(onnxruntime, Exported,
                         ::testing::Values("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large",
                                           "mobilenet_v3_small", "mobilenet_v4_conv_small",
                                           "mobilenet_v4_conv_medium"),
                         [](const auto& family) { return std::string(family.param); });

constexpr const char* kFlowers = "models/onnx/st_mobilenet_v2_0.35_128_tfs_channel_first.onnx";

TEST(onnxruntime, a_model_from_tf2onnx_gives_the_same_scores) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  LINNET_DATA_OR_SKIP(model, kFlowers);
  const auto graph = formats::read_onnx(model);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{128, 128, 3}));
  EXPECT_EQ(graph->output_shape(), (Shape{1, 1, 5}));
  EXPECT_EQ(graph->dialect, Dialect::kTensorflow);
  const Values images = linnet::testing::noise(graph->input_shape(), 12, 2, 2);
  expect_close(reference_scores(*graph, images),
               onnxruntime_scores(model, to_chw(images, graph->input_shape())), kTolerance);

  // What Linnet writes again computes the same.
  const testing::ScratchFolder folder;
  const auto again = folder.path() / "again.onnx";
  const Graph logits = canonical(*graph);
  ASSERT_TRUE(formats::write_onnx(logits, again));
  expect_close(reference_scores(logits, images),
               onnxruntime_scores(again, to_chw(images, graph->input_shape())), kTolerance);
}

TEST(onnxruntime, a_model_from_tf2onnx_gives_the_same_scores_on_photographs) {
  LINNET_ONNXRUNTIME_OR_SKIP();
  LINNET_DATA_OR_SKIP(model, kFlowers);
  const auto graph = formats::read_onnx(model);
  ASSERT_TRUE(graph) << graph.error().message;
  const Shape shape = graph->input_shape();
  for (const char* name : {"coral_parrot.jpg", "coral_hot_dog.jpg"}) {
    LINNET_DATA_OR_SKIP(photograph, std::string("photos/misc/") + name);
    const auto image = image::read_image(photograph);
    ASSERT_TRUE(image) << image.error().message;
    Values values(static_cast<std::size_t>(shape.size()));
    ASSERT_TRUE(image::preprocess(*image, tensorflow_preprocessing(), shape, values));
    expect_close(reference_scores(*graph, values), onnxruntime_scores(model, to_chw(values, shape)),
                 kTolerance);
  }
}

}  // namespace
}  // namespace linnet
