#include "data/metrics.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace linnet::data {
namespace {

using ::testing::ElementsAre;

TEST(metrics, the_best_come_first_and_equal_scores_by_index) {
  const std::vector<float> scores = {1, 3, 2, 3, -1};
  EXPECT_THAT(top_k(scores, 3), ElementsAre(1, 3, 2));
  EXPECT_THAT(top_k(scores, 9), ElementsAre(1, 3, 2, 0, 4));
  EXPECT_THAT(top_k(scores, 2, 2), ElementsAre(3, 2));
  EXPECT_THAT(top_k(std::vector<float>{}, 1), ElementsAre());
}

TEST(metrics, not_a_number_never_wins) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(top_k(std::vector<float>{nan, -std::numeric_limits<float>::infinity(), nan}, 3),
              ElementsAre(1, 0, 2));
}

TEST(metrics, the_rank_is_the_place_in_the_order) {
  Random random(7);
  std::vector<float> scores(50);
  for (float& s : scores) s = static_cast<float>(random.below(10));  // many ties
  const std::vector<int> order = top_k(scores, 50, 1);
  ASSERT_EQ(order.size(), 49u);
  for (int place = 0; place < 49; ++place)
    EXPECT_EQ(rank_of(scores, order[static_cast<std::size_t>(place)], 1), place);
}

TEST(metrics, wilsons_interval_is_that_of_the_tables) {
  // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
  const auto expect = [](std::int64_t right, std::int64_t n, double low, double high) {
    EXPECT_NEAR(wilson_95(right, n).low, low, 5e-5);
    EXPECT_NEAR(wilson_95(right, n).high, high, 5e-5);
  };
  expect(81, 263, 0.2553, 0.3662);
  expect(15, 148, 0.0624, 0.1605);
  expect(0, 20, 0, 0.1611);
  expect(1, 29, 0.0061, 0.1718);
  expect(29, 29, 0.8830, 1);
  EXPECT_EQ(wilson_95(0, 0).high, 1);
}

TEST(metrics, a_tally_counts_first_five_and_confusions) {
  Tally tally(7);
  EXPECT_EQ(tally.add(std::vector<float>{9, 8, 7, 6, 5, 4, 3}, 0), 0);
  EXPECT_EQ(tally.add(std::vector<float>{9, 8, 7, 6, 5, 4, 3}, 4), 0);
  EXPECT_EQ(tally.add(std::vector<float>{9, 8, 7, 6, 5, 4, 3}, 5), 0);
  EXPECT_EQ(tally.add(std::vector<float>{9, 8, 7, 6, 5, 4, 3}, 5), 0);
  EXPECT_EQ(tally.images(), 4);
  EXPECT_EQ(tally.right_first(), 1);
  EXPECT_EQ(tally.right_in_5(), 2);
  EXPECT_EQ(tally.top1(), 0.25);
  EXPECT_EQ(tally.confused(5, 0), 2);
  EXPECT_THAT(tally.worst(9), ElementsAre(Tally::Confusion{5, 0, 2}, Tally::Confusion{4, 0, 1}));
  EXPECT_EQ(tally.worst(1).size(), 1u);
}

TEST(metrics, background_never_wins) {
  Tally tally(1001);
  std::vector<float> scores(1001);
  scores[0] = 10;
  scores[7] = 1;
  EXPECT_EQ(tally.add(scores, 7), 7);
  EXPECT_EQ(tally.top1(), 1);
}

}  // namespace
}  // namespace linnet::data
