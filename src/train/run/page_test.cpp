// The page of a run: that it says what was measured, fetches nothing, and shows the pictures that it names.
#include "train/run/page.h"

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

image::Image picture(int height, int width, int shade) {
  image::Image image{.height = height, .width = width, .pixels = {}};
  for (int i = 0; i < height * width; ++i)
    for (int c = 0; c < 3; ++c)
      image.pixels.push_back(static_cast<std::uint8_t>(shade * (c + 1) + i * 7 / width % 90));
  return image;
}

TrainingReport example() {
  TrainingReport report{.title = "mobilenet_v2, three animals",
                        .summary = "Trained on 30 pictures.",
                        .command = "linnet train --init m --data \"my <photos>\"",
                        .settings = {{"seed", "1"}, {"batch size", "32"}},
                        .history = {},
                        .classes = {"cat, house cat", "dog", "frog & toad"}};
  for (int i = 1; i <= 12; ++i)
    report.history.push_back({.epoch = i,
                              .learning_rate = 3e-4f * static_cast<float>(13 - i) / 12.0f,
                              .loss = 0.4 + 1.7 * std::exp(-0.3 * i),
                              .top1 = 0.9 - 0.5 * std::exp(-0.3 * i),
                              .validation_loss = 0.5 + 1.2 * std::exp(-0.4 * i),
                              .validation_top1 = 0.85 - 0.4 * std::exp(-0.4 * i),
                              .seconds = 5.0 + i % 2,
                              .images_per_second = 70.0 - i % 2});
  report.result = TestResult{.pictures = "the pictures held out by seed 1",
                             .images = 60,
                             .right = 51,
                             .int8_right = 50,
                             .confusion = {18, 2, 0, 3, 15, 2, 1, 1, 18}};
  report.mistakes = {{"cat/1.png", picture(32, 32, 40), 0, 1, 0.93, 0.05},
                     {"dog/2.jpg", picture(300, 400, 60), 1, 2, 0.8, 0.1}};
  return report;
}

TEST(training_page, it_says_what_was_measured) {
  const std::string text = page(example()).value();
  // 51 of 60; Wilson's interval is 73.9 to 91.9.
  for (const char* what : {"85.0 %", "95 % interval 73.9 to 91.9", "83.3 %", "held out by seed 1",
                           "<td>cat, house cat</td><td>20</td><td>90.0 %</td><td>81.8 %</td><td>dog (2)</td>",
                           "taken for dog, 93 %", "frog &amp; toad", "my &lt;photos&gt;"})
    EXPECT_THAT(text, HasSubstr(what));
  EXPECT_THAT(text, HasSubstr("epoch 12: 84.67 held out"));
}

TEST(training_page, it_holds_its_pictures_and_fetches_nothing) {
  const std::string text = page(example()).value();
  std::size_t sources = 0, held = 0;
  for (std::size_t at = text.find("src="); at != std::string::npos; at = text.find("src=", at + 1)) {
    ++sources;
    held += text.compare(at, 27, "src=\"data:image/png;base64,") == 0 ? 1 : 0;
  }
  EXPECT_EQ(sources, 2u);
  EXPECT_EQ(held, 2u);
  for (const char* what : {"href=", "url(", "<script", "http-equiv"}) EXPECT_THAT(text, Not(HasSubstr(what)));
}

TEST(training_page, a_large_picture_is_shown_small) {
  TrainingReport large = example(), small = example();
  large.mistakes = {{"a.jpg", picture(1200, 1600, 9), 0, 1, 0.5, 0.4}};
  small.mistakes = {{"a.jpg", picture(168, 224, 9), 0, 1, 0.5, 0.4}};
  EXPECT_LT(page(large)->size(), page(small)->size() + 100'000);
}

TEST(training_page, a_run_without_epochs_results_or_mistakes_has_a_page) {
  const std::string text = page({.title = "nothing",
                                 .summary = "",
                                 .command = "linnet",
                                 .settings = {},
                                 .history = {},
                                 .classes = {"a", "b"}})
                               .value();
  EXPECT_THAT(text, HasSubstr("How to repeat it"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  TrainingReport one = example();
  one.history.resize(1);
  one.history[0].validation_loss.reset();
  one.history[0].validation_top1.reset();
  EXPECT_THAT(page(one).value(), Not(HasSubstr("nan")));
}

TEST(training_page, a_thousand_classes_stay_readable) {
  TrainingReport many = example();
  many.classes.assign(1000, "class");
  many.result->confusion.assign(1'000'000, 0);
  many.result->confusion[5 * 1000 + 7] = 3;
  EXPECT_LT(page(many)->size(), 200'000u);
}

}  // namespace
}  // namespace linnet::train
