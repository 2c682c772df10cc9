// What tests do with a graph: find a node, make an input, compute the scores.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/executor.h"

namespace linnet::testing {

/// The node of this name, or null.
inline const Node* find_node(const Graph& graph, std::string_view name) {
  const auto found = std::ranges::find(graph.nodes, name, &Node::name);
  return found == graph.nodes.end() ? nullptr : &*found;
}

/// `images` inputs of uniform noise in [-amplitude, amplitude), HWC.
inline std::vector<float> noise(const Shape& shape, std::uint64_t seed, float amplitude = 1,
                                std::size_t images = 1) {
  std::vector<float> values(static_cast<std::size_t>(shape.size()) * images);
  Random random(seed);
  for (float& value : values) value = random.uniform(-amplitude, amplitude);
  return values;
}

/// The scores of as many images as `images` holds. What the executor complains about fails the test.
inline std::vector<float> scores_of(Executor& executor, const std::vector<float>& images) {
  const auto n = images.size() / static_cast<std::size_t>(executor.graph().input_shape().size());
  std::vector<float> scores(n * static_cast<std::size_t>(executor.graph().output_shape().size()));
  const auto ran = executor.run(static_cast<int>(n), images, scores);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return scores;
}

}  // namespace linnet::testing
