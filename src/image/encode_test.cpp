#include "image/encode.h"

#include <gtest/gtest.h>

#include "image/testing.h"

namespace linnet::image {
namespace {

TEST(encode, a_png_gives_back_its_pixels) {
  for (const auto& [height, width] : {std::pair(1, 1), {32, 32}, {7, 129}}) {
    const Image image = noise(height, width);
    const auto png = encode_png(image);
    ASSERT_TRUE(png) << png.error().message;
    const auto again = decode(*png, "png");
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(difference(*again, image), "equal");
  }
}

TEST(encode, a_grey_picture_stays_grey) {
  const Image luma = to_luma(noise(5, 9));
  const auto png = encode_png(luma);
  ASSERT_TRUE(png) << png.error().message;
  const auto again = decode(*png, "png");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(difference(to_luma(*again), luma), "equal");
}

TEST(encode, nothing_is_no_picture) { EXPECT_FALSE(encode_png(Image{})); }

}  // namespace
}  // namespace linnet::image
