#include "data/rand_augment.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "data/testing.h"

namespace linnet::data {
namespace {

image::Image noise_picture() { return picture_of_planes(made_up(1, 1).items[0].planes); }

TEST(rand_augment, strengths_are_torchvisions) {
  EXPECT_DOUBLE_EQ(strength(Operation::kShearX, 30, 32, 64), 0.3);
  EXPECT_DOUBLE_EQ(strength(Operation::kShearY, 9, 32, 64), 0.09);
  EXPECT_DOUBLE_EQ(strength(Operation::kTranslateX, 30, 32, 331), 150);
  EXPECT_DOUBLE_EQ(strength(Operation::kTranslateY, 15, 331, 32), 75);
  EXPECT_DOUBLE_EQ(strength(Operation::kRotate, 10, 32, 32), 10);
  EXPECT_DOUBLE_EQ(strength(Operation::kBrightness, 10, 32, 32), 0.3);
  EXPECT_DOUBLE_EQ(strength(Operation::kPosterize, 0, 32, 32), 8);
  EXPECT_DOUBLE_EQ(strength(Operation::kPosterize, 9, 32, 32), 7);
  EXPECT_DOUBLE_EQ(strength(Operation::kPosterize, 30, 32, 32), 4);
  EXPECT_DOUBLE_EQ(strength(Operation::kSolarize, 0, 32, 32), 255);
  EXPECT_DOUBLE_EQ(strength(Operation::kSolarize, 30, 32, 32), 0);
  EXPECT_DOUBLE_EQ(strength(Operation::kEqualize, 30, 32, 32), 0);
}

TEST(rand_augment, pictures_move_the_way_that_torchvision_moves_them) {
  const image::Image picture = noise_picture();
  const auto pixel = [](const image::Image& image, int y, int x) { return image.row(y)[3 * x]; };
  const image::Image right = apply(picture, Operation::kTranslateX, 4.35);
  EXPECT_EQ(pixel(right, 5, 4), pixel(picture, 5, 0));
  EXPECT_EQ(pixel(right, 5, 3), 0);
  const image::Image up = apply(picture, Operation::kTranslateY, -4.35);
  EXPECT_EQ(pixel(up, 0, 5), pixel(picture, 4, 5));
  const image::Image sheared = apply(picture, Operation::kShearX, 0.3);  // row 31 comes from 9 columns right
  EXPECT_EQ(pixel(sheared, 0, 7), pixel(picture, 0, 7));
  EXPECT_EQ(pixel(sheared, 31, 0), pixel(picture, 31, 9));
  const image::Image down = apply(picture, Operation::kShearY, -0.3);
  EXPECT_EQ(pixel(down, 31, 30), pixel(picture, 22, 30));
}

TEST(rand_augment, each_picture_gets_one_of_the_operations_and_all_come_up) {
  const image::Image picture = noise_picture();
  constexpr int kRounds = 2000;
  const RandAugment options{.operations = 1, .magnitude = 12};
  std::vector<image::Image> results;
  for (int o = 0; o < kOperations; ++o) {
    const auto operation = static_cast<Operation>(o);
    const double by = strength(operation, 12, 32, 32);
    results.push_back(apply(picture, operation, by));
    if (has_direction(operation)) results.push_back(apply(picture, operation, -by));
  }
  ASSERT_EQ(results.size(), 23u);
  std::vector<int> times(results.size());
  for (int round = 0; round < kRounds; ++round) {
    Random random(static_cast<std::uint64_t>(round));
    const auto found = std::ranges::find(results, rand_augment(picture, options, random));
    ASSERT_NE(found, results.end()) << "seed " << round;
    ++times[static_cast<std::size_t>(found - results.begin())];
  }
  // Autocontrast leaves noise of all values as it is, so it counts as the identity.
  int never = 0;
  for (const int n : times) never += n == 0;
  EXPECT_EQ(never, 1);
  EXPECT_NEAR(times[0], kRounds * 2 / kOperations, 70);
}

TEST(rand_augment, no_operations_leave_the_picture) {
  Random random(1);
  EXPECT_EQ(rand_augment(noise_picture(), {.operations = 0}, random), noise_picture());
}

}  // namespace
}  // namespace linnet::data
