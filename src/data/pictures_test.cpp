#include "data/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "image/encode.h"
#include "support/data.h"

namespace linnet::data {
namespace {

class pictures_test : public ::testing::Test {
 protected:
  /// A grey picture as item `set.items.size()`.
  std::filesystem::path add(int height, int width) {
    const std::filesystem::path path = folder.path() / fmt::format("{}.png", set.items.size());
    image::Image picture{.height = height, .width = width, .pixels = {}};
    picture.pixels.resize(picture.stride() * static_cast<std::size_t>(height), 128);
    const auto png = image::encode_png(picture);
    const std::span<const std::byte> bytes = *png;
    EXPECT_TRUE(write_file(path, std::span(&bytes, 1)));
    set.items.push_back({path.filename(), path, {}, 0});
    return path;
  }

  linnet::testing::ScratchFolder folder;
  Dataset set;
};

TEST_F(pictures_test, a_picture_is_decoded_once_as_long_as_there_is_memory) {
  const auto first = add(10, 10), second = add(10, 10);
  Pictures pictures(set, 0, 300);  // bytes: one of the two
  const auto picture = pictures.get(0);
  ASSERT_TRUE(picture && pictures.get(1));
  std::filesystem::remove(first);
  std::filesystem::remove(second);
  EXPECT_EQ(pictures.get(0).value(), *picture);
  EXPECT_FALSE(pictures.get(1));
}

TEST_F(pictures_test, what_failed_once_fails_again_without_being_read) {
  const auto path = add(10, 10);
  ASSERT_TRUE(write_file(path, "no picture"));
  Pictures pictures(set, 0, 1000);
  const auto bad = pictures.get(0);
  ASSERT_FALSE(bad);
  std::filesystem::remove(path);
  EXPECT_EQ(pictures.get(0).error().message, bad.error().message);
}

TEST_F(pictures_test, only_what_is_larger_than_wanted_is_shrunk) {
  add(100, 300);
  add(50, 300);
  add(20, 20);
  Pictures pictures(set, 50, 0);
  const auto size = [&](std::size_t item) {
    const auto picture = pictures.get(item).value();
    return std::pair(picture->height, picture->width);
  };
  EXPECT_EQ(size(0), std::pair(50, 150));
  EXPECT_EQ(size(1), std::pair(50, 300));
  EXPECT_EQ(size(2), std::pair(20, 20));
}

}  // namespace
}  // namespace linnet::data
