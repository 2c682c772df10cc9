#include "train/run/progressive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::train {
namespace {

using ::testing::HasSubstr;

TEST(progressive, sizes_are_read_and_written_alike) {
  const auto sizes = parse_progressive("20:0.4,26:0.75");
  ASSERT_TRUE(sizes) << sizes.error().message;
  EXPECT_EQ(*sizes, (Progressive{{20, 0.4}, {26, 0.75}}));
  EXPECT_EQ(to_string(*sizes), "20:0.4,26:0.75");
  EXPECT_EQ(parse_progressive("").value(), Progressive{});
}

TEST(progressive, another_form_and_sizes_that_do_not_grow_are_refused) {
  for (const char* text : {"20", "20:", ":0.5", "20:0.5,", "20:0.5;26:0.7", "20:0.5x", "a:0.5"}) {
    const auto refused = parse_progressive(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("as in 20:0.4,26:0.7")) << text;
  }
  for (const char* text :
       {"20:0", "20:1", "20:nan", "0:0.5", "-8:0.5", "20:0.5,20:0.6", "20:0.5,26:0.5", "26:0.3,20:0.6"}) {
    const auto refused = parse_progressive(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("both growing")) << text;
  }
}

TEST(progressive, each_size_has_its_epochs_and_the_last_epoch_the_full_size) {
  const Progressive sizes = {{20, 0.4}, {26, 0.7}};
  std::vector<int> edges;
  for (int epoch = 0; epoch < 10; ++epoch) edges.push_back(edge_in(sizes, epoch, 10, 32));
  EXPECT_THAT(edges, ::testing::ElementsAre(20, 20, 20, 20, 26, 26, 26, 32, 32, 32));
  EXPECT_EQ(edge_in({{20, 0.99}}, 8, 10, 32), 20);
  EXPECT_EQ(edge_in({{20, 0.99}}, 9, 10, 32), 32);
  EXPECT_EQ(edge_in({{20, 0.99}}, 0, 1, 32), 32);
  EXPECT_EQ(edge_in({}, 0, 10, 32), 32);
}

TEST(progressive, crops_and_cutouts_shrink_with_the_picture) {
  const data::Augmentation small = scaled({.crop_padding = 4, .flip = true, .cutout = 8}, 24.0 / 32);
  EXPECT_EQ(small.crop_padding, 3);
  EXPECT_EQ(small.cutout, 6);
  EXPECT_TRUE(small.flip);
}

}  // namespace
}  // namespace linnet::train
