#include "graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/builder.h"

namespace linnet {
namespace {

using testing::HasSubstr;

Constant zeros(std::vector<int> dims) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  return Constant(std::move(dims), AlignedVector<float>(n, 0.0f));
}

/// Stem, depthwise, pool, linear: the smallest MobileNet.
Graph tiny() {
  GraphBuilder b("tiny", {8, 8, 3});
  const NodeId stem = b.add(
      "stem", Convolution{.window = {3, 3, 2, 2, {1, 1, 1, 1}}, .weight = zeros({4, 3, 3, 3})}, {b.input()});
  const NodeId dw = b.add(
      "dw",
      Depthwise{
          .window = {3, 3, 1, 1, {1, 1, 1, 1}}, .weight = zeros({3, 3, 4}), .activation = Activation::kRelu6},
      {stem});
  const NodeId sum = b.add("sum", Add{}, {stem, dw});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  const NodeId scores = b.add("scores", Linear{.weight = zeros({5, 4}), .bias = zeros({5})}, {pool});
  return std::move(b).finish(scores).value();
}

std::string complaint(const Graph& graph) {
  const auto legal = validate(graph);
  return legal ? "" : legal.error().message;
}

TEST(graph, shapes_are_inferred) {
  const Graph g = tiny();
  EXPECT_EQ(g[1].shape, (Shape{4, 4, 4}));
  EXPECT_EQ(g.output_shape(), (Shape{1, 1, 5}));
}

TEST(graph, graphs_compare_by_value) {
  EXPECT_EQ(tiny(), tiny());
  Graph other = tiny();
  std::get<Linear>(other[5].op).bias = Constant({5}, {0, 0, 0, 0, 1});
  EXPECT_NE(other, tiny());
}

TEST(graph, the_dump_has_a_line_a_node) {
  const std::string text = dump(tiny());
  EXPECT_THAT(text, HasSubstr("stem"));
  EXPECT_THAT(text, HasSubstr("3x3 stride 2x2 pad 1,1,1,1"));
  EXPECT_THAT(text, HasSubstr("3x3 pad 1,1,1,1 relu6"));
  EXPECT_THAT(text, HasSubstr("1x1x5 (output)"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 7);
}

TEST(graph, validate_names_what_is_wrong_and_where) {
  EXPECT_EQ(complaint(tiny()), "");

  Graph g = tiny();
  g[2].name = "stem";
  EXPECT_THAT(complaint(g), HasSubstr("node \"stem\": the name stands twice"));

  g = tiny();
  g[3].inputs = {1, 4};
  EXPECT_THAT(complaint(g), HasSubstr("node \"sum\" (add): reads node 4, which is not before it"));

  g = tiny();
  g[2].shape.w = 5;
  EXPECT_THAT(complaint(g), HasSubstr("shape is stored as 4x5x4 but is 4x4x4"));

  g = tiny();
  std::get<Depthwise>(g[2].op).weight = zeros({3, 3, 5});
  EXPECT_THAT(complaint(g), HasSubstr("weight is [3, 3, 5], expected [3, 3, 4]"));

  g = tiny();
  std::get<Convolution>(g[1].op).window.kernel_h = 20;
  EXPECT_THAT(complaint(g), HasSubstr("expected [4, 20, 3, 3]"));

  g = tiny();
  g.labels = {"cat", "dog"};
  EXPECT_THAT(complaint(g), HasSubstr("2 labels for an output of 1x1x5"));

  g = tiny();
  g.output = 17;
  EXPECT_THAT(complaint(g), HasSubstr("the output is node 17 of 6"));

  g = tiny();
  g[0].shape = {1 << 20, 8, 3};
  EXPECT_THAT(complaint(g), HasSubstr("larger than Linnet allows"));

  g = tiny();
  g[4].op = Input{};
  EXPECT_THAT(complaint(g), HasSubstr("a second input"));
}

TEST(graph, a_window_must_fit_its_padded_input) {
  GraphBuilder b("small", {2, 2, 1});
  const NodeId y = b.add("y", Convolution{.window = {3, 3}, .weight = zeros({1, 3, 3, 1})}, {b.input()});
  const auto graph = std::move(b).finish(y);
  ASSERT_FALSE(graph);
  EXPECT_THAT(
      graph.error().message,
      HasSubstr("small: node \"y\" (convolution): kernel 3x3 is larger than its padded input of 2x2"));
}

TEST(preprocessing, every_known_dialect_has_its_own_and_the_unknown_has_none) {
  EXPECT_EQ(dialect_preprocessing(Dialect::kUnknown, 224), std::nullopt);
  EXPECT_EQ(dialect_preprocessing(Dialect::kTorchvision, 224), torchvision_preprocessing(224));
  EXPECT_EQ(dialect_preprocessing(Dialect::kTimm, 224), timm_preprocessing(224));
  EXPECT_EQ(dialect_preprocessing(Dialect::kTensorflow, 224), tensorflow_preprocessing());
  EXPECT_EQ(dialect_preprocessing(Dialect::kHuggingFace, 192)->shortest_edge, 219);
  EXPECT_EQ(to_string(Dialect::kTensorflow), "tensorflow");
}

TEST(builder, same_padding_is_tensorflows) {
  EXPECT_EQ(same_padding(224, 3, 2), (std::pair{0, 1}));
  EXPECT_EQ(same_padding(7, 3, 2), (std::pair{1, 1}));
  EXPECT_EQ(same_padding(14, 3, 1), (std::pair{1, 1}));
  EXPECT_EQ(same_padding(14, 5, 2), (std::pair{1, 2}));
  EXPECT_EQ(same_padding(4, 1, 2), (std::pair{0, 0}));
}

}  // namespace
}  // namespace linnet
