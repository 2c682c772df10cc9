// Every picture of tests/data/pictures decodes to the pixels that make.py stored beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "image/image.h"
#include "image/orientation.h"
#include "image/testing.h"
#include "support/data.h"

namespace linnet::image {
namespace {

using testing::repository_data;

TEST(decode, every_picture_has_the_pixels_that_it_was_made_from) {
  const auto table = read_table("expected.tsv");
  ASSERT_GT(table.size(), 80u);
  for (const auto& row : table) {
    const auto image = read_image(repository_data("pictures/" + row[0]));
    ASSERT_TRUE(image) << image.error().message;
    const auto expected = read_pixels(repository_data("pictures/" + row[1]));
    ASSERT_TRUE(expected) << expected.error().message;
    EXPECT_EQ(difference(*image, *expected), "equal") << row[0];
  }
}

TEST(decode, the_contents_count_and_not_the_name) {
  const testing::ScratchFolder folder;
  const auto path = folder.path() / "cat.jpg";
  std::filesystem::copy_file(repository_data("pictures/rgb8.png"), path);
  const auto image = read_image(path);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(difference(*image, *read_pixels(repository_data("pictures/rgb.pixels"))), "equal");
}

TEST(decode, the_eight_orientations_turn_a_picture_as_exif_says) {
  // 1 2 3      each pixel by its red
  // 4 5 6
  const auto picture = [](int height, int width, std::vector<std::uint8_t> reds) {
    Image image{.height = height, .width = width, .pixels = {}};
    for (const auto red : reds) image.pixels.insert(image.pixels.end(), {red, 0, std::uint8_t(100 + red)});
    return image;
  };
  const Image stored = picture(2, 3, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(upright(stored, 1), stored);
  EXPECT_EQ(upright(stored, 2), picture(2, 3, {3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(upright(stored, 3), picture(2, 3, {6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(upright(stored, 4), picture(2, 3, {4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(upright(stored, 5), picture(3, 2, {1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(upright(stored, 6), picture(3, 2, {4, 1, 5, 2, 6, 3}));
  EXPECT_EQ(upright(stored, 7), picture(3, 2, {6, 3, 5, 2, 4, 1}));
  EXPECT_EQ(upright(stored, 8), picture(3, 2, {3, 6, 2, 5, 1, 4}));
}

TEST(decode, luma_of_grey_is_grey_and_of_colours_is_pillows) {
  Image image{.height = 1, .width = 260, .pixels = {}};
  for (int v = 0; v < 256; ++v) image.pixels.insert(image.pixels.end(), 3, std::uint8_t(v));
  image.pixels.insert(image.pixels.end(), {255, 0, 0, 0, 255, 0, 0, 0, 255, 250, 10, 30});
  const Image luma = to_luma(image);
  ASSERT_EQ(luma.channels, 1);
  for (int v = 0; v < 256; ++v) EXPECT_EQ(luma.pixels[v], v);
  EXPECT_THAT(std::vector(luma.pixels.begin() + 256, luma.pixels.end()),
              ::testing::ElementsAre(76, 150, 29, 84));
}

TEST(decode, a_directory_is_no_picture) {
  const testing::ScratchFolder folder;
  const auto result = read_image(folder.path());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message,
            folder.path().string() + ": is a directory, not a picture; name the pictures in it");
}

TEST(decode, a_missing_file_is_named) {
  const auto result = read_image("/nonexistent/cat.jpg");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "/nonexistent/cat.jpg: cannot open: No such file or directory");
}

TEST(decode, other_formats_are_named_with_what_to_do) {
  using namespace std::string_literals;
  const auto message = [](const std::string& bytes) {
    const auto result = decode(std::as_bytes(std::span(bytes)), "cat");
    return result ? "decoded" : result.error().message;
  };
  EXPECT_EQ(message(""), "cat: the file is empty; Linnet reads JPEG, PNG, WebP, BMP and PPM");
  EXPECT_EQ(message("meow, meow"),
            "cat: not a picture of a known format; Linnet reads JPEG, PNG, WebP, BMP and PPM");
  EXPECT_EQ(message("GIF89a.."),
            "cat: is GIF; Linnet reads JPEG, PNG, WebP, BMP and PPM, so convert it to one of them");
  EXPECT_THAT(message("\0\0\0\x18"
                      "ftypheic"s),
              ::testing::StartsWith("cat: is HEIC;"));
  EXPECT_THAT(message("II*\0...."s), ::testing::StartsWith("cat: is TIFF;"));
  EXPECT_THAT(message("P7\nWIDTH 1"), ::testing::StartsWith("cat: is PAM;"));
}

TEST(decode, an_animated_webp_is_refused) {
  const auto result = read_image(repository_data("pictures/animated.webp"));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message,
              ::testing::EndsWith("an animated WebP is not one picture; save one of its frames"));
}

}  // namespace
}  // namespace linnet::image
