// Heads and norms, fitted to pictures that differ in colour alone, made here.
#include "train/run/adapt.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/random.h"
#include "data/cifar10.h"
#include "graph/families/family.h"
#include "image/preprocess.h"
#include "train/loss.h"
#include "train/network.h"
#include "train/transfer.h"

namespace linnet::train {
namespace {

/// 32x32 pictures as CIFAR-10 stores them, each of the colour of its class with some noise.
data::Dataset coloured_pictures(int classes, int each, std::uint64_t seed) {
  auto bytes = std::make_shared<std::vector<std::byte>>();
  Random random(seed);
  data::Dataset set{.name = "colours", .items = {}, .owner = bytes};
  bytes->reserve(static_cast<std::size_t>(classes * each) * data::cifar10::kPlanes);
  for (int i = 0; i < classes * each; ++i) {
    const std::size_t begin = bytes->size();
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t p = 0; p < data::cifar10::kPlane; ++p)
        bytes->push_back(static_cast<std::byte>((static_cast<std::size_t>(i % classes) == c ? 150 : 60) +
                                                static_cast<int>(random.below(60))));
    set.items.push_back({"picture", {}, std::span(*bytes).subspan(begin), i % classes});
  }
  return set;
}

Graph new_head(const char* family, const std::vector<std::string>& labels) {
  Graph graph = replace_head(build(*parse_family(family)).value(), labels, 1).value();
  graph.preprocessing.emplace().resize_to_input = true;
  return graph;
}

int right(const Graph& graph, const data::Dataset& set, ThreadPool& pool) {
  const auto values = static_cast<std::size_t>(graph.input_shape().size());
  Network network = Network::make(graph, 1, pool).value();
  int count = 0;
  for (const data::Item& item : set.items) {
    std::vector<float> pixels(values);
    EXPECT_TRUE(
        image::preprocess(data::load(item).value(), *graph.preprocessing, graph.input_shape(), pixels));
    const auto scores = network.forward(pixels, false).value();
    count += std::ranges::max_element(scores) - scores.begin() == *item.label ? 1 : 0;
  }
  return count;
}

TEST(adapt, a_head_learns_classes_that_the_backbone_tells_apart_and_leaves_the_backbone) {
  const Graph before = new_head("mobilenet_v2:width=0.1,resolution=32,classes=7", {"red", "green", "blue"});
  const data::Dataset pictures = coloured_pictures(3, 8, 1), others = coloured_pictures(3, 5, 2);
  ThreadPool pool(2);
  int seen = 0;
  const Graph after =
      fit_head(before, pictures, pool,
               {.progress = [&](std::size_t done, std::size_t) { seen = static_cast<int>(done); }})
          .value();
  EXPECT_EQ(seen, 24);
  EXPECT_EQ(right(after, others, pool), 15);
  EXPECT_LT(right(before, others, pool), 15);
  EXPECT_EQ(split_at_head(after).backbone, split_at_head(before).backbone);
  EXPECT_EQ(fit_head(before, pictures, pool, {}).value(), after);
}

TEST(adapt, pictures_without_a_class_are_an_error) {
  const Graph graph = new_head("mobilenet_v2:width=0.1,resolution=32", {"a", "b"});
  data::Dataset pictures = coloured_pictures(2, 2, 1);
  pictures.items[1].label.reset();
  ThreadPool pool(1);
  EXPECT_FALSE(fit_head(graph, pictures, pool, {}));
}

TEST(adapt, norms_take_statistics_of_all_classes_and_the_scores_stay) {
  const Graph before = new_head("mobilenet_v2:width=0.1,resolution=64,classes=7", {"red", "green", "blue"});
  data::Dataset pictures = coloured_pictures(3, 30, 1);
  std::ranges::stable_sort(pictures.items, {}, [](const data::Item& item) { return *item.label; });
  ThreadPool pool(2);
  const Graph after = restate_norms(before, pictures, pool, {}).value();
  const auto stem = [](const Graph& graph) { return std::get<BatchNorm>(graph[2].op); };
  EXPECT_NE(stem(after).mean, stem(before).mean);
  std::vector<float> pixels(static_cast<std::size_t>(before.input_shape().size()));
  ASSERT_TRUE(image::preprocess(data::load(pictures.items[5]).value(), *before.preprocessing,
                                before.input_shape(), pixels));
  std::vector<std::vector<float>> scores;
  for (const Graph* graph : {&before, &after}) {
    Network network = Network::make(*graph, 1, pool).value();
    const auto computed = network.forward(pixels, false).value();
    scores.emplace_back(computed.begin(), computed.end());
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(scores[0][i], scores[1][i], 1e-4);
  // The batch that they were taken from is a fixed point, all classes of it.
  EXPECT_EQ(restate_norms(before, pictures, pool, {}).value(), after);
}

}  // namespace
}  // namespace linnet::train
