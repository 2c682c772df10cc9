#include "formats/onnx/writer.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "formats/onnx/reader.h"
#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "reference/interpreter.h"
#include "support/data.h"
#include "support/graph.h"

namespace linnet::formats {
namespace {

using linnet::testing::noise;
using linnet::testing::scores_of;
using ::testing::HasSubstr;

Graph read_back(const Graph& graph) {
  const auto bytes = onnx_bytes(graph);
  EXPECT_TRUE(bytes) << (bytes ? "" : bytes.error().message);
  auto read = read_onnx(std::as_bytes(std::span(*bytes)), "round-trip.onnx");
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return read ? *std::move(read) : Graph{};
}

Constant random(std::vector<int> dims, std::uint64_t seed, float low = -1, float high = 1) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  AlignedVector<float> values(n);
  Random rng(seed);
  for (float& v : values) v = rng.uniform(low, high);
  return Constant(std::move(dims), std::move(values));
}

std::vector<float> run(const Graph& graph) {
  reference::Interpreter interpreter(graph);
  return scores_of(interpreter, noise(graph.input_shape(), 3, 2));
}

/// Every operator and every activation, as a layer's own and alone, on images and on vectors.
Graph every_operator() {
  GraphBuilder b("every_operator", {9, 7, 3});
  NodeId x = b.add("stem",
                   Convolution{.window = {3, 5, 2, 1, {0, 1, 2, 1}},
                               .weight = random({8, 3, 5, 3}, 1),
                               .bias = random({8}, 2),
                               .activation = Activation::kRelu6},
                   {b.input()});
  const NodeId stem = x;
  x = b.add("pad", Pad{{1, 0, 2, 1}}, {x});
  x = b.add("depthwise", Depthwise{.window = {2, 4}, .weight = random({2, 4, 8}, 3)}, {x});
  x = b.add("norm", BatchNorm{random({8}, 4), random({8}, 5), random({8}, 6), random({8}, 7, 0.5f, 2), 1e-3f},
            {x});
  x = b.add("hard_swish", Activate{Activation::kHardSwish}, {x});
  x = b.add("residual", Add{Activation::kRelu}, {stem, x});
  x = b.add("identity", Identity{}, {x});
  const NodeId pooled = b.add("pool", GlobalAveragePool{}, {x});
  NodeId gate = b.add(
      "squeeze", Linear{.weight = random({4, 8}, 8), .bias = random({4}, 9), .activation = Activation::kRelu},
      {pooled});
  gate = b.add(
      "excite",
      Convolution{.window = {}, .weight = random({8, 1, 1, 4}, 10), .activation = Activation::kHardSigmoid},
      {gate});
  x = b.add("gated", Multiply{}, {x, gate});
  x = b.add("pool2", GlobalAveragePool{}, {x});
  x = b.add("fc1", Linear{.weight = random({8, 8}, 11), .activation = Activation::kHardSwish}, {x});
  const NodeId fc1 = x;
  x = b.add("vector_norm",
            BatchNorm{random({8}, 12), random({8}, 13), random({8}, 14), random({8}, 15, 0.5f, 2)}, {x});
  x = b.add("vector_relu6", Activate{Activation::kRelu6}, {x});
  x = b.add("vector_sum", Add{}, {x, fc1});
  x = b.add("mixed_sum", Add{}, {x, pooled});
  x = b.add("vector_gate", Multiply{}, {x, fc1});
  x = b.add("logits", Linear{.weight = random({5, 8}, 16), .bias = random({5}, 17)}, {x});
  x = b.add("softmax", Softmax{}, {x});
  return std::move(b).finish(x).value();
}

TEST(onnx_writer, every_operator_comes_back_as_it_was) {
  const Graph graph = every_operator();
  const Graph read = read_back(graph);
  EXPECT_EQ(canonical(read), canonical(graph)) << dump(canonical(read)) << dump(canonical(graph));
  EXPECT_EQ(read.name, graph.name);
  EXPECT_TRUE(std::holds_alternative<Softmax>(read[read.output].op));
}

TEST(onnx_writer, every_family_comes_back_as_it_was) {
  for (const auto* text : {"mobilenet_v1:width=0.25,resolution=32,classes=10",
                           "mobilenet_v2:width=0.35,resolution=32,classes=10",
                           "mobilenet_v3_large:width=0.35,resolution=32,classes=10",
                           "mobilenet_v3_small:width=0.5,resolution=32,classes=10",
                           "mobilenet_v4_conv_small:width=0.25,resolution=32,classes=10",
                           "mobilenet_v4_conv_medium:width=0.25,resolution=32,classes=10"}) {
    const auto config = parse_family(text);
    ASSERT_TRUE(config) << config.error().message;
    const Graph graph = build(*config).value();
    const Graph read = read_back(graph);
    EXPECT_EQ(canonical(read), canonical(graph)) << text;
    EXPECT_EQ(run(canonical(read)), run(canonical(graph))) << text;
  }
}

TEST(onnx_writer, labels_preprocessing_and_dialect_travel_along) {
  Graph graph = every_operator();
  graph.labels = {"cat", "dog", "\"quoted\", with a comma", "Käse", ""};
  graph.preprocessing = tensorflow_preprocessing();
  graph.dialect = Dialect::kTensorflow;
  Graph read = read_back(graph);
  EXPECT_EQ(read.labels, graph.labels);
  EXPECT_EQ(read.preprocessing, graph.preprocessing);
  EXPECT_EQ(read.dialect, graph.dialect);
  graph.preprocessing = torchvision_preprocessing(224);
  graph.preprocessing->filter = Filter::kBicubic;
  read = read_back(graph);
  EXPECT_EQ(read.preprocessing, graph.preprocessing);
  graph.labels.clear();
  graph.preprocessing.reset();
  read = read_back(graph);
  EXPECT_TRUE(read.labels.empty());
  EXPECT_FALSE(read.preprocessing);
}

TEST(onnx_writer, the_same_graph_gives_the_same_bytes_and_the_file_holds_them) {
  const linnet::testing::ScratchFolder folder;
  const auto bytes = onnx_bytes(every_operator()).value();
  EXPECT_EQ(bytes, onnx_bytes(every_operator()).value());
  ASSERT_TRUE(write_onnx(every_operator(), folder.path() / "model.onnx"));
  std::ifstream file(folder.path() / "model.onnx", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), bytes);
  const auto read = read_onnx(folder.path() / "model.onnx");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(canonical(*read), canonical(every_operator()));
}

TEST(onnx_writer, an_illegal_graph_is_refused) {
  Graph graph = every_operator();
  graph.nodes[2].name = "stem";
  const auto bytes = onnx_bytes(graph);
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().message, HasSubstr("the name stands twice"));
}

}  // namespace
}  // namespace linnet::formats
