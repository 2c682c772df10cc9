#include "data/augment.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/stream.h"
#include "data/testing.h"

namespace linnet::data {
namespace {

using ::testing::HasSubstr;

constexpr Shape kInput = {32, 32, 3};
using Floats = std::vector<float>;

Preprocessing preprocessing() {
  Preprocessing p;
  p.mean = {0.4914f, 0.4822f, 0.4465f};
  p.deviation = {0.247f, 0.2435f, 0.2616f};
  return p;
}

Augmenter make(const Augmentation& augmentation, Shape input = kInput) {
  auto made = Augmenter::make(augmentation, preprocessing(), input);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return *made;
}

template <class Picture>
Floats run(const Augmenter& augmenter, const Picture& picture, std::uint64_t seed) {
  Floats output(static_cast<std::size_t>(augmenter.input().size()), -1e9f);
  augmenter(picture, Random(seed), output);
  return output;
}

Floats preprocessed(const image::Image& picture) {
  Floats output(static_cast<std::size_t>(kInput.size()));
  EXPECT_TRUE(image::preprocess(picture, preprocessing(), kInput, output));
  return output;
}

/// The textbook: a padded picture, cut at (dy, dx) from its middle, flipped.
Floats cropped(const image::Image& picture, int dy, int dx, bool flip, Border border) {
  image::Image out = picture;
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 32; ++x)
      for (int c = 0; c < 3; ++c) {
        int from_y = y + dy, from_x = (flip ? 31 - x : x) + dx;
        const bool outside = from_y < 0 || from_y > 31 || from_x < 0 || from_x > 31;
        if (border == Border::kReflect) {
          from_y = std::abs(from_y) > 31 ? 62 - from_y : std::abs(from_y);
          from_x = std::abs(from_x) > 31 ? 62 - from_x : std::abs(from_x);
        }
        out.row(y)[x * 3 + c] = outside && border == Border::kBlack ? 0 : picture.row(from_y)[from_x * 3 + c];
      }
  return preprocessed(out);
}

TEST(augment, nothing_asked_for_is_the_preprocessing_alone) {
  const Dataset set = made_up(3, 3);
  const Augmenter augmenter = make({});
  for (const Item& item : set.items) {
    const Floats expected = preprocessed(picture_of_planes(item.planes));
    EXPECT_EQ(run(augmenter, item.planes, 1), expected);
    EXPECT_EQ(run(augmenter, picture_of_planes(item.planes), 1), expected);
  }
}

TEST(augment, every_crop_and_flip_is_one_of_the_textbooks_and_all_come_up) {
  const Dataset set = made_up(1, 1);
  const image::Image picture = picture_of_planes(set.items[0].planes);
  constexpr int kPadding = 2, kRounds = 3000;
  for (const Border border : {Border::kBlack, Border::kReflect}) {
    std::map<Floats, int> seen;
    for (int dy = -kPadding; dy <= kPadding; ++dy)
      for (int dx = -kPadding; dx <= kPadding; ++dx)
        for (const bool flip : {false, true}) seen[cropped(picture, dy, dx, flip, border)] = 0;
    ASSERT_EQ(seen.size(), 50u);
    const Augmenter augmenter = make({.crop_padding = kPadding, .border = border, .flip = true});
    for (int round = 0; round < kRounds; ++round) {
      const Floats output = run(augmenter, set.items[0].planes, static_cast<std::uint64_t>(round));
      const auto found = seen.find(output);
      ASSERT_NE(found, seen.end()) << "seed " << round;
      ++found->second;
      if (round % 30 == 0) {
        EXPECT_EQ(run(augmenter, picture, static_cast<std::uint64_t>(round)), output);
      }
    }
    // 60 each are expected, and 7.7 is the standard deviation.
    for (const auto& [output, times] : seen) EXPECT_NEAR(times, kRounds / 50, 39);
  }
}

TEST(augment, cutout_sets_a_square_to_zero_and_nothing_else) {
  const Dataset set = made_up(1, 1);
  const Floats whole = preprocessed(picture_of_planes(set.items[0].planes));
  const Augmenter augmenter = make({.cutout = 8});
  int largest = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Floats output = run(augmenter, set.items[0].planes, seed);
    int top = 32, bottom = -1, left = 32, right = -1, changed = 0;
    for (int i = 0; i < 32 * 32; ++i) {
      const auto at = static_cast<std::size_t>(3 * i);
      if (std::equal(&output[at], &output[at] + 3, &whole[at])) continue;
      EXPECT_THAT(std::span(output).subspan(at, 3), ::testing::Each(0.0f));
      top = std::min(top, i / 32), bottom = std::max(bottom, i / 32);
      left = std::min(left, i % 32), right = std::max(right, i % 32);
      ++changed;
    }
    ASSERT_EQ(changed, (bottom - top + 1) * (right - left + 1)) << "a rectangle, seed " << seed;
    EXPECT_LE(bottom - top + 1, 8);
    EXPECT_LE(right - left + 1, 8);
    EXPECT_TRUE(bottom - top + 1 == 8 || top == 0 || bottom == 31) << "only the border cuts it short";
    largest = std::max(largest, changed);
  }
  EXPECT_EQ(largest, 64);
}

TEST(augment, planes_and_picture_agree_on_everything_together) {
  const Dataset set = made_up(20, 1);
  const Augmenter augmenter = make({.rand_augment = RandAugment{.operations = 2, .magnitude = 14},
                                    .crop_padding = 4,
                                    .border = Border::kReflect,
                                    .flip = true,
                                    .cutout = 7});
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto planes = set.items[i].planes;
    EXPECT_EQ(run(augmenter, planes, i), run(augmenter, picture_of_planes(planes), i)) << i;
    EXPECT_EQ(run(augmenter, planes, i), run(augmenter, planes, i)) << i;
    EXPECT_NE(run(augmenter, planes, i), run(augmenter, planes, i + 100)) << i;
  }
}

TEST(augment, a_grey_model_gets_luma) {
  const Dataset set = made_up(1, 1);
  const Shape grey{32, 32, 1};
  Floats expected(32 * 32);
  ASSERT_TRUE(image::preprocess(picture_of_planes(set.items[0].planes), preprocessing(), grey, expected));
  EXPECT_EQ(run(make({}, grey), set.items[0].planes, 1), expected);
}

TEST(augment, parts_keep_to_their_area_and_proportions) {
  const ResizedCrop crop;
  Random random(3);
  for (const auto& [height, width] : {std::pair(480, 640), {33, 500}, {1, 1}, {700, 20}}) {
    double smallest = 1, largest = 0;
    for (int round = 0; round < 500; ++round) {
      const CropPart part = draw_part(crop, height, width, random);
      ASSERT_TRUE(part.y >= 0 && part.x >= 0 && part.height >= 1 && part.width >= 1 &&
                  part.y + part.height <= height && part.x + part.width <= width);
      const double share = static_cast<double>(part.height) * part.width / height / width;
      smallest = std::min(smallest, share);
      largest = std::max(largest, share);
      if (height == 480) {
        EXPECT_NEAR(std::abs(std::log(static_cast<double>(part.width) / part.height)), 0,
                    std::log(4 / 3.) + 0.02);
        EXPECT_GT(share, 0.079);
      }
    }
    EXPECT_TRUE(height != 480 || (smallest < 0.12 && largest > 0.8)) << smallest << " to " << largest;
  }
}

TEST(augment, a_part_of_a_photograph_fills_the_input) {
  image::Image picture{.height = 60, .width = 90, .pixels = std::vector<std::uint8_t>(60 * 90 * 3, 200)};
  const Augmenter augmenter = make({.resized_crop = ResizedCrop{}, .flip = true}, {48, 40, 3});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Floats output = run(augmenter, picture, seed);
    for (std::size_t i = 0; i < output.size(); ++i)
      ASSERT_EQ(output[i], image::pixel_values(preprocessing())[i % 3][200]);
  }
}

TEST(augment, numbers_that_make_no_sense_are_refused) {
  const auto refusal = [](const Augmentation& augmentation, Shape input = kInput,
                          Preprocessing p = preprocessing()) {
    const auto made = Augmenter::make(augmentation, p, input);
    EXPECT_FALSE(made);
    return made ? "" : made.error().message;
  };
  EXPECT_THAT(refusal({.crop_padding = 32}), HasSubstr("32 pixels around"));
  EXPECT_THAT(refusal({.crop_padding = -1}), HasSubstr("-1 pixels around"));
  EXPECT_THAT(refusal({.cutout = -1}), HasSubstr("cutout of -1"));
  EXPECT_THAT(refusal({.rand_augment = RandAugment{.magnitude = 31}}), HasSubstr("magnitude 31"));
  EXPECT_THAT(refusal({.resized_crop = ResizedCrop{.smallest_area = 0}}), HasSubstr("a crop of 0"));
  EXPECT_THAT(refusal({}, {32, 32, 4}), HasSubstr("1 or 3 channels"));
  Preprocessing p;
  p.deviation[1] = 0;
  EXPECT_THAT(refusal({}, kInput, p), HasSubstr("deviation 0"));
}

TEST(stream, streams_are_functions_of_all_four_and_of_nothing_else) {
  const auto first = [](std::uint64_t seed, Draws use, std::int64_t epoch, std::int64_t index) {
    return stream_of(seed, use, epoch, index).next();
  };
  const std::uint64_t value = first(1, Draws::kPicture, 2, 3);
  EXPECT_EQ(first(1, Draws::kPicture, 2, 3), value);
  EXPECT_NE(first(2, Draws::kPicture, 2, 3), value);
  EXPECT_NE(first(1, Draws::kMixup, 2, 3), value);
  EXPECT_NE(first(1, Draws::kPicture, 3, 2), value);
  EXPECT_NE(first(1, Draws::kPicture, 2, 4), value);
  EXPECT_EQ(value, 1391792557327118106u) << "golden: every run that was saved depends on it";
}

}  // namespace
}  // namespace linnet::data
