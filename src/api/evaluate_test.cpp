#include "api/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/families/family.h"

namespace linnet {
namespace {

/// CIFAR-10's planes of one grey level.
std::vector<std::byte> grey(int level) { return std::vector<std::byte>(3 * 1024, std::byte(level)); }

class evaluate_test : public ::testing::Test {
 protected:
  evaluate_test() {
    for (int i = 0; i < 8; ++i) pixels.push_back(grey(32 * i));
    for (int i = 0; i < 8; ++i)
      dataset.items.push_back(
          {.name = "picture " + std::to_string(i), .path = {}, .planes = pixels[i], .label = {}});
    Graph graph = build(parse_family("mobilenet_v2:width=0.1,resolution=32,classes=10").value()).value();
    graph.preprocessing = torchvision_preprocessing(32);
    classifier.emplace(Classifier::make(std::move(graph), Backend::kReference, 1).value());
  }
  /// What the model says itself.
  int predicted(int i) {
    const auto picture = data::load(dataset.items[static_cast<std::size_t>(i)]).value();
    return classifier->classify(picture, 1)->predictions[0].index;
  }

  std::vector<std::vector<std::byte>> pixels;
  data::Dataset dataset;
  std::optional<Classifier> classifier;
};

TEST_F(evaluate_test, counts_what_the_model_says_and_names_each_miss) {
  for (int i = 0; i < 8; ++i)
    dataset.items[static_cast<std::size_t>(i)].label = i < 6 ? predicted(i) : (predicted(i) + 1) % 10;
  const auto result = evaluate(*classifier, dataset, 0);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->tally.images(), 8);
  EXPECT_EQ(result->tally.right_first(), 6);
  ASSERT_EQ(result->misses.size(), 2u);
  EXPECT_EQ(result->misses[0].picture, "picture 6");
  EXPECT_EQ(result->misses[0].predicted, predicted(6));
  EXPECT_GT(result->misses[0].margin, 0);
}

TEST_F(evaluate_test, a_limit_is_spread_evenly) {
  for (auto& item : dataset.items) item.label = 0;
  std::size_t seen = 0;
  const auto result = evaluate(*classifier, dataset, 3, [&](std::size_t done, std::size_t total) {
    EXPECT_EQ(total, 3u);
    seen = done;
  });
  ASSERT_TRUE(result);
  EXPECT_EQ(seen, 3u);
  EXPECT_EQ(result->tally.images(), 3);
  EXPECT_EQ(evaluate(*classifier, dataset, 100)->tally.images(), 8);
}

TEST_F(evaluate_test, pictures_without_a_class_are_an_error) {
  EXPECT_THAT(evaluate(*classifier, dataset, 0).error().message, ::testing::HasSubstr("labels.csv"));
}

}  // namespace
}  // namespace linnet
