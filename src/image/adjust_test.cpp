// What can be checked by hand; pillow_test compares every byte with Pillow.
#include "image/adjust.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/testing.h"
#include "image/warp.h"

namespace linnet::image {
namespace {

using ::testing::ElementsAre;

Image grey_row(std::vector<std::uint8_t> values) {
  Image image{.height = 1, .width = static_cast<int>(values.size()), .pixels = {}};
  for (const std::uint8_t v : values) image.pixels.insert(image.pixels.end(), 3, v);
  return image;
}

/// The reds, from left to right and down.
std::vector<int> reds(const Image& image) {
  std::vector<int> values;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) values.push_back(image.pixels[i]);
  return values;
}

TEST(adjust, a_factor_of_one_changes_nothing) {
  const Image image = noise(9, 11);
  EXPECT_EQ(adjust_brightness(image, 1), image);
  EXPECT_EQ(adjust_color(image, 1), image);
  EXPECT_EQ(adjust_contrast(image, 1), image);
  EXPECT_EQ(adjust_sharpness(image, 1), image);
}

TEST(adjust, brightness_scales_and_clips) {
  EXPECT_THAT(reds(adjust_brightness(grey_row({0, 100, 200}), 1.5f)), ElementsAre(0, 150, 255));
}

TEST(adjust, contrast_turns_about_the_mean) {
  EXPECT_THAT(reds(adjust_contrast(grey_row({100, 150, 200}), 0.5f)), ElementsAre(125, 150, 175));
}

TEST(adjust, color_turns_about_the_luma) {
  Image red = grey_row({0});
  red.pixels = {100, 0, 0};  // its luma is 30
  EXPECT_THAT(adjust_color(red, 0).pixels, ElementsAre(30, 30, 30));
}

TEST(adjust, sharpness_leaves_the_border) {
  Image image{.height = 3, .width = 3, .pixels = std::vector<std::uint8_t>(27, 0)};
  image.pixels[12] = 130;
  EXPECT_THAT(reds(adjust_sharpness(image, 0)), ElementsAre(0, 0, 0, 0, 50, 0, 0, 0, 0));
}

TEST(adjust, posterize_keeps_upper_bits_and_solarize_inverts_from_a_threshold_on) {
  EXPECT_THAT(reds(posterize(grey_row({0, 15, 16, 255}), 4)), ElementsAre(0, 0, 16, 240));
  EXPECT_THAT(reds(solarize(grey_row({0, 127, 128, 255}), 128)), ElementsAre(0, 127, 127, 0));
}

TEST(adjust, autocontrast_stretches_and_equalize_ranks) {
  EXPECT_THAT(reds(autocontrast(grey_row({100, 110, 120}))), ElementsAre(0, 127, 255));
  EXPECT_EQ(autocontrast(grey_row({7, 7})), grey_row({7, 7}));
  std::vector<std::uint8_t> values(255, 10);
  values.push_back(20);
  const std::vector<int> ranked = reds(equalize(grey_row(values)));
  EXPECT_EQ(ranked.front(), 0);
  EXPECT_EQ(ranked.back(), 255);
  std::ranges::replace(values, 10, 30);  // now the one 20 stands first
  EXPECT_EQ(equalize(grey_row(values)), grey_row(values)) << "a step of less than one pixel";
}

TEST(warp, moves_and_turns_whole_pixels) {
  const Image row = grey_row({1, 2, 3});
  EXPECT_THAT(reds(warp(row, {1, 0, -1, 0, 1, 0})), ElementsAre(0, 1, 2)) << "to the right";
  Image square{.height = 2, .width = 2, .pixels = {}};
  for (const std::uint8_t v : {1, 2, 3, 4}) square.pixels.insert(square.pixels.end(), 3, v);
  EXPECT_THAT(reds(rotate(square, 90)), ElementsAre(2, 4, 1, 3)) << "counterclockwise";
  EXPECT_EQ(rotate(noise(8, 5), 0), noise(8, 5));
}

/// Checksums of what Pillow 9.4 makes of the same noise, for machines without it.
TEST(adjust, every_operation_gives_pillows_bytes) {
  const Image image = noise(20, 30);
  const auto sum = [](const Image& result) { return crc32(std::as_bytes(std::span(result.pixels))); };
  EXPECT_EQ(sum(adjust_brightness(image, 1.37f)), 290910342u);
  EXPECT_EQ(sum(adjust_color(image, 0.4f)), 697031068u);
  EXPECT_EQ(sum(adjust_contrast(image, 1.6f)), 2533948998u);
  EXPECT_EQ(sum(adjust_sharpness(image, 1.9f)), 472359527u);
  EXPECT_EQ(sum(equalize(image)), 3968783362u);
  EXPECT_EQ(sum(rotate(image, 13)), 3474022591u);
  EXPECT_EQ(sum(warp(image, {1, 0.27, 0, 0, 1, 0})), 3989873395u);
}

}  // namespace
}  // namespace linnet::image
