#include "api/classifier.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet {
namespace {

TEST(predictions, are_a_softmax_the_most_probable_first) {
  const std::vector<float> logits = {0.0f, std::log(3.0f), std::log(6.0f)};
  const auto best = predictions(logits, {"a", "b", "c"}, 2).value();
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].label, "c");
  EXPECT_EQ(best[0].index, 2);
  EXPECT_FLOAT_EQ(best[0].probability, 0.6f);
  EXPECT_FLOAT_EQ(best[1].probability, 0.3f);
}

TEST(predictions, large_logits_do_not_overflow) {
  const std::vector<float> logits = {1000.0f, 1000.0f, -1000.0f};
  const auto best = predictions(logits, {}, 5).value();
  ASSERT_EQ(best.size(), 3u);
  EXPECT_FLOAT_EQ(best[0].probability, 0.5f);
  EXPECT_EQ(best[0].index, 0) << "of equal classes the first one comes first";
  EXPECT_EQ(best[0].label, "class 0");
}

TEST(predictions, the_background_of_1001_classes_never_wins_and_takes_no_probability) {
  std::vector<float> logits(1001, 0.0f);
  logits[0] = 50.0f;
  logits[7] = 20.0f;
  const auto best = predictions(logits, {}, 1).value();
  EXPECT_EQ(best[0].index, 7);
  EXPECT_GT(best[0].probability, 0.99f);
}

TEST(predictions, scores_that_are_not_finite_are_an_error) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> logits = {0.0f, bad};
    EXPECT_THAT(predictions(logits, {}, 1).error().message, ::testing::HasSubstr("not finite"));
  }
}

}  // namespace
}  // namespace linnet
