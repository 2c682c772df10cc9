#include "api/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet {
namespace {

using reference::Interpreter;

Graph network() {
  return canonical(build(parse_family("mobilenet_v2:width=0.1,resolution=32,classes=10").value()).value());
}

std::vector<AlignedVector<float>> pictures(const Graph& graph) {
  const std::vector<float> values = linnet::testing::noise(graph.input_shape(), 7);
  return {AlignedVector<float>(values.begin(), values.end())};
}

TEST(compare, a_model_does_not_part_from_itself) {
  Interpreter a(network()), b(network());
  const auto result = compare(a, b, pictures(a.graph()), 0);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_FALSE(result->first_difference);
  EXPECT_EQ(std::ssize(result->layers), a.graph().size() - 1);
  for (const LayerComparison& layer : result->layers) {
    EXPECT_EQ(layer.equal_share, 1) << layer.name;
    EXPECT_EQ(layer.max_difference, 0) << layer.name;
  }
}

TEST(compare, one_changed_weight_is_found_in_its_layer) {
  const Graph original = network();
  Graph changed = original;
  const NodeId id = 5;
  auto& convolution = std::get<Convolution>(changed[id].op);
  AlignedVector<float> values(convolution.weight.values().begin(), convolution.weight.values().end());
  values[3] += 1.0f;
  convolution.weight = Constant(convolution.weight.dims(), std::move(values));
  Interpreter a(original), b(changed);
  const auto result = compare(a, b, pictures(original), 1e-6);
  ASSERT_TRUE(result);
  ASSERT_TRUE(result->first_difference);
  EXPECT_EQ(result->layers[*result->first_difference].name, original[id].name);
  EXPECT_LT(result->layers[*result->first_difference].equal_share, 1);
}

TEST(compare, layers_of_other_names_are_matched_by_position) {
  Graph renamed = network();
  for (Node& node : renamed.nodes) node.name = "x" + node.name;
  Interpreter a(network()), b(renamed);
  const auto result = compare(a, b, pictures(a.graph()), 0);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(std::ssize(result->layers), a.graph().size() - 1);
  EXPECT_FALSE(result->first_difference);
}

TEST(compare, models_with_nothing_in_common_are_refused) {
  Interpreter a(network());
  Interpreter small(
      canonical(build(parse_family("mobilenet_v2:width=0.1,resolution=64,classes=10").value()).value()));
  EXPECT_THAT(compare(a, small, pictures(a.graph()), 0).error().message,
              ::testing::HasSubstr("different pictures"));
  Interpreter other(canonical(
      build(parse_family("mobilenet_v4_conv_small:width=0.25,resolution=32,classes=10").value()).value()));
  EXPECT_THAT(compare(a, other, pictures(a.graph()), 0).error().message,
              ::testing::HasSubstr("no layer in common"));
}

}  // namespace
}  // namespace linnet
