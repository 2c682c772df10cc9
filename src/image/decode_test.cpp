#include <gtest/gtest.h>

#include "image/image.h"
#include "support/data.h"

namespace linnet::image {
namespace {

TEST(decode, a_directory_is_no_picture) {
  const auto result = read_image("/tmp");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "/tmp: is a directory, not a picture; name the pictures in it");
}

}  // namespace
}  // namespace linnet::image
