#include "train/run/checkpoint.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/data.h"

namespace linnet::train {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

Checkpoint example() {
  return {
      .recipe = R"({"epochs":3})",
      .step = 7,
      .loss_sum = 0.1 + 0.2,
      .correct = 5,
      .images = 56,
      .seconds = 1.0 / 3,
      .history = {{.epoch = 1, .learning_rate = 0.1f, .loss = 2.0 / 3, .top1 = 0.5, .validation_top1 = 0.25}},
      .arrays = {}};
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(checkpoint, comes_back_bit_for_bit) {
  const ScratchFolder folder;
  const auto path = folder.path() / "c.safetensors";
  const std::vector<float> weights = {1.0f / 3, -0.0f, 1e-44f, 3e38f};
  ASSERT_TRUE(write_checkpoint(example(), {{"weights", weights}, {"none", {}}}, path));
  const auto read = read_checkpoint(path);
  ASSERT_TRUE(read) << read.error().message;
  const Checkpoint expected = example();
  EXPECT_EQ(read->recipe, expected.recipe);
  EXPECT_EQ(read->step, 7);
  EXPECT_EQ(read->loss_sum, expected.loss_sum);
  EXPECT_EQ(read->seconds, expected.seconds);
  EXPECT_EQ(read->correct, 5);
  EXPECT_EQ(read->images, 56);
  EXPECT_EQ(read->history, expected.history);
  ASSERT_EQ(read->arrays.size(), 1u);
  const auto& back = read->arrays.at("weights");
  EXPECT_EQ(std::memcmp(back.data(), weights.data(), sizeof(float) * weights.size()), 0);
}

TEST(checkpoint, cut_anywhere_or_damaged_it_is_an_error_that_names_the_file) {
  const ScratchFolder folder;
  const auto path = folder.path() / "c.safetensors";
  const std::vector<float> weights(100, 0.5f);
  ASSERT_TRUE(write_checkpoint(example(), {{"weights", weights}}, path));
  const std::string whole = bytes_of(path);
  const auto damaged = folder.path() / "damaged.safetensors";
  for (std::size_t length = 0; length < whole.size(); length += 13) {
    std::ofstream(damaged, std::ios::binary) << whole.substr(0, length);
    const auto read = read_checkpoint(damaged);
    ASSERT_FALSE(read) << length;
    EXPECT_THAT(read.error().message, HasSubstr("damaged.safetensors"));
  }
  for (const auto& [what, instead] : {std::pair{"checkpoint 1", "checkpoint 9"},
                                      {"\\\"step\\\"", "\\\"stop\\\""},
                                      {"\\\"loss\\\"", "\\\"lass\\\""},
                                      {"\"F32\"", "\"I32\""}}) {
    std::string text = whole;
    const auto at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, std::strlen(what), instead);
    std::ofstream(damaged, std::ios::binary) << text;
    const auto read = read_checkpoint(damaged);
    ASSERT_FALSE(read) << what;
    EXPECT_THAT(read.error().message, HasSubstr("damaged.safetensors"));
  }
  EXPECT_FALSE(read_checkpoint(folder.path() / "absent"));
}

}  // namespace
}  // namespace linnet::train
