#include "data/write_folders.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/file.h"
#include "data/testing.h"
#include "support/data.h"

namespace linnet::data {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

constexpr std::string_view kNames[] = {"cat", "dog"};

TEST(write_folders, two_thirds_are_for_training_and_the_pixels_are_the_same) {
  const ScratchFolder scratch;
  const std::filesystem::path folder = scratch.path() / "photos/";
  const Dataset train = made_up(20, 2, 1), test = made_up(10, 2, 2);
  const auto written = write_class_folders(train, test, kNames, 7, folder);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(written->train_per_class, 5);
  EXPECT_EQ(written->test_per_class, 2);
  const std::vector<std::string> labels = {"dog", "cat"};
  const auto again = open_dataset(written->train.string(), labels, 2);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->items.size(), 10u);
  EXPECT_EQ(again->items[1].name, "cat/00002.png");
  EXPECT_EQ(*load(again->items[1]), *load(train.items[2]));
  EXPECT_EQ(again->items[9].name, "dog/00009.png");
  const auto held_out = open_dataset(written->test.string(), labels, 2);
  ASSERT_TRUE(held_out) << held_out.error().message;
  ASSERT_EQ(held_out->items.size(), 4u);
  EXPECT_EQ(*load(held_out->items[3]), *load(test.items[3]));
}

TEST(write_folders, a_folder_that_holds_something_stays_as_it_is) {
  const ScratchFolder scratch;
  ASSERT_TRUE(write_file(scratch.path() / "mine", ""));
  const auto written = write_class_folders(made_up(20, 2), made_up(10, 2), kNames, 6, scratch.path());
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("not an empty folder"));
}

TEST(write_folders, what_fails_leaves_nothing_behind) {
  const ScratchFolder scratch;
  const auto refusal = [&](int per_class) {
    const auto written =
        write_class_folders(made_up(20, 2), made_up(10, 2), kNames, per_class, scratch.path() / "photos");
    EXPECT_FALSE(written);
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
    return written ? Error{} : written.error();
  };
  EXPECT_THAT(refusal(2).message, HasSubstr("3 at least"));
  EXPECT_THAT(refusal(18).message, HasSubstr("holds 10 pictures of \"cat\", not 12"));
  EXPECT_EQ(refusal(18).kind, Error::Kind::kUsage);

  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1000, before.rlim_max};  // bytes: less than one picture, as on a full disk
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Error full = refusal(6);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(full.message, HasSubstr("cannot write"));
}

}  // namespace
}  // namespace linnet::data
