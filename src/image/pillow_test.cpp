// Decoding and resizing against Pillow itself, where it is installed.
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "image/adjust.h"
#include "image/image.h"
#include "image/resize.h"
#include "image/testing.h"
#include "image/warp.h"
#include "support/data.h"

namespace linnet::image {
namespace {

constexpr std::pair<const char*, Filter> kFilters[] = {
    {"bilinear", Filter::kBilinear}, {"bicubic", Filter::kBicubic}, {"nearest", Filter::kNearest}};

#define PILLOW_OR_SKIP() \
  if (!has_pillow()) GTEST_SKIP() << "this machine's /usr/bin/python3 has no Pillow (Debian: python3-pil)"

std::vector<std::filesystem::path> pictures_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() != ".csv") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Decodes every picture of a folder, and resizes it as ImageNet models do.
void expect_equal_to_pillow(const std::filesystem::path& folder) {
  constexpr std::size_t kBatch = 16;  // pictures for one run of Python
  const auto paths = pictures_in(folder);
  ASSERT_FALSE(paths.empty());
  for (std::size_t begin = 0; begin < paths.size(); begin += kBatch) {
    struct Expected {
      std::string what;
      Image ours;
    };
    std::vector<Expected> expected;
    std::vector<PillowRequest> requests;
    for (std::size_t i = begin; i < std::min(begin + kBatch, paths.size()); ++i) {
      auto image = read_image(paths[i]);
      ASSERT_TRUE(image) << image.error().message;
      const int shorter = std::min(image->height, image->width);
      const int height = image->height * 256 / shorter, width = image->width * 256 / shorter;
      for (const auto& [name, filter] : kFilters) {
        requests.push_back({paths[i], {fmt::format("resize {} {} {}", height, width, name)}});
        expected.push_back(
            {fmt::format("{} {}", paths[i].string(), name), resize(*image, height, width, filter)});
      }
      requests.push_back({paths[i]});
      expected.push_back({paths[i].string(), *std::move(image)});
    }
    const auto pillow = ask_pillow(requests);
    ASSERT_TRUE(pillow) << pillow.error().message;
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(difference(expected[i].ours, (*pillow)[i]), "equal") << expected[i].what;
  }
}

TEST(pillow, resize_gives_the_same_bytes_for_any_pair_of_sizes) {
  PILLOW_OR_SKIP();
  const testing::ScratchFolder folder;
  Random random(7);
  std::vector<PillowRequest> requests;
  std::vector<Image> ours;
  for (int round = 0; round < 200; ++round) {
    const auto edge = [&](std::uint64_t most) {
      return 1 + static_cast<int>(random.below(random.below(4) ? most : 8));
    };
    const Image image = noise(edge(150), edge(150), round % 2, random.next());
    const int height = edge(300), width = edge(300);
    const Window window{static_cast<std::int64_t>(random.below(height)),
                        static_cast<std::int64_t>(random.below(width)), 1, 1};
    Window part = window;
    part.height += static_cast<int>(random.below(height - part.y));
    part.width += static_cast<int>(random.below(width - part.x));
    const auto path = folder.path() / fmt::format("{}.ppm", round);
    ASSERT_TRUE(write_file(path, fmt::format("P6 {} {} 255\n", image.width, image.height) +
                                     std::string(image.pixels.begin(), image.pixels.end())));
    for (const auto& [name, filter] : kFilters) {
      const std::string resized = fmt::format("resize {} {} {}", height, width, name);
      requests.push_back(
          {path, {resized, fmt::format("crop {} {} {} {}", part.y, part.x, part.height, part.width)}});
      ours.push_back(resize(image, Size{height, width}, part, filter));
      requests.push_back({path, {"luma", resized}});
      ours.push_back(resize(to_luma(image), height, width, filter));
    }
  }
  const auto pillow = ask_pillow(requests);
  ASSERT_TRUE(pillow) << pillow.error().message;
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_EQ(difference(ours[i], (*pillow)[i]), "equal")
        << requests[i].picture << ' ' << fmt::format("{}", fmt::join(requests[i].operations, ", "));
}

TEST(pillow, adjusted_and_warped_pictures_have_the_same_bytes) {
  PILLOW_OR_SKIP();
  const testing::ScratchFolder folder;
  Random random(11);
  std::vector<PillowRequest> requests;
  std::vector<Image> ours;
  for (int round = 0; round < 60; ++round) {
    const int height = 1 + static_cast<int>(random.below(40)), width = 1 + static_cast<int>(random.below(40));
    Image image = noise(height, width, round % 5 == 0, random.next());
    if (round % 3 == 0)  // of few values, so that stretching and equalising have something to do
      for (auto& value : image.pixels) value = static_cast<std::uint8_t>(60 + value % (1 + round));
    const auto path = folder.path() / fmt::format("{}.ppm", round);
    ASSERT_TRUE(write_file(path, fmt::format("P6 {} {} 255\n", image.width, image.height) +
                                     std::string(image.pixels.begin(), image.pixels.end())));
    const auto expect = [&](std::string operation, Image result) {
      requests.push_back({path, {std::move(operation)}});
      ours.push_back(std::move(result));
    };
    for (const float factor : {0.0f, 1.0f, 1.9f, random.uniform(0, 1), random.uniform(1, 2)}) {
      expect(fmt::format("brightness {}", factor), adjust_brightness(image, factor));
      expect(fmt::format("color {}", factor), adjust_color(image, factor));
      expect(fmt::format("contrast {}", factor), adjust_contrast(image, factor));
      expect(fmt::format("sharpness {}", factor), adjust_sharpness(image, factor));
    }
    const int bits = static_cast<int>(random.below(9));
    const double threshold = random.uniform(0, 256), degrees = random.uniform(-45, 45);
    expect(fmt::format("posterize {}", bits), posterize(image, bits));
    expect(fmt::format("solarize {}", threshold), solarize(image, threshold));
    expect("autocontrast 0", autocontrast(image));
    expect("equalize 0", equalize(image));
    expect(fmt::format("rotate {}", degrees), rotate(image, degrees));
    Affine map = {1, random.uniform(-1, 1), 0, 0, 1, 0};
    if (round % 2) map = {1, 0, random.uniform(-9, 9), random.uniform(-1, 1), 1, random.uniform(-9, 9)};
    expect(fmt::format("affine {}", fmt::join(map, " ")), warp(image, map));
  }
  const auto pillow = ask_pillow(requests);
  ASSERT_TRUE(pillow) << pillow.error().message;
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_EQ(difference(ours[i], (*pillow)[i]), "equal")
        << requests[i].picture << ' ' << requests[i].operations[0] << ' ' << ours[i].width << " x "
        << ours[i].height;
}

TEST(pillow, photographs_decode_and_resize_to_the_same_bytes) {
  PILLOW_OR_SKIP();
  LINNET_DATA_OR_SKIP(folder, "photos/misc");
  expect_equal_to_pillow(folder);
}

TEST(pillow, imagenet_photographs_decode_and_resize_to_the_same_bytes) {
  PILLOW_OR_SKIP();
  LINNET_DATA_OR_SKIP(folder, "photos/imagenet");
  expect_equal_to_pillow(folder);
}

TEST(pillow, grey_bitmaps_of_visual_wake_words_decode_and_resize_to_the_same_bytes) {
  PILLOW_OR_SKIP();
  LINNET_DATA_OR_SKIP(folder, "vww");
  expect_equal_to_pillow(folder);
}

}  // namespace
}  // namespace linnet::image
