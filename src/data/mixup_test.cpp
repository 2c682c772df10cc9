#include "data/mixup.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::data {
namespace {

using ::testing::ElementsAre;

TEST(mixup, lambda_has_the_mean_and_variance_of_its_beta_distribution) {
  constexpr int kDraws = 20'000;
  for (const double alpha : {0.05, 0.2, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double lambda = draw_mixup(alpha, Random(static_cast<std::uint64_t>(i)));
      ASSERT_TRUE(lambda >= 0 && lambda <= 1) << lambda;
      sum += lambda;
      squares += (lambda - 0.5) * (lambda - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kDraws, 0.5, 4 * std::sqrt(variance / kDraws)) << alpha;
    EXPECT_NEAR(squares / kDraws, variance, 0.03 * variance) << alpha;
  }
}

TEST(mixup, images_are_blended_with_their_neighbours_and_an_odd_one_stays) {
  std::vector<float> pixels = {0, 8, 16, 0, 4, 4};  // three images of two values
  mix(pixels, 3, 0.75f);
  EXPECT_THAT(pixels, ElementsAre(4, 6, 12, 2, 4, 4));
  for (const int n : {1, 2, 7})
    for (int i = 0; i < n; ++i) EXPECT_EQ(mixup_partner(mixup_partner(i, n), n), i);
  EXPECT_EQ(mixup_partner(2, 7), 3);
  EXPECT_EQ(mixup_partner(6, 7), 6);
}

}  // namespace
}  // namespace linnet::data
