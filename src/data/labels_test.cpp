#include "data/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/data.h"

namespace linnet::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class labels : public ::testing::Test {
 protected:
  std::filesystem::path file(std::string_view text) {
    const auto path = folder_.path() / "labels.txt";
    EXPECT_TRUE(write_file(path, text));
    return path;
  }

 private:
  linnet::testing::ScratchFolder folder_;
};

TEST_F(labels, plain_synset_and_quoted_styles_are_read) {
  EXPECT_THAT(read_labels(file("cat\r\ndog \n\n\n")).value(), ElementsAre("cat", "dog"));
  EXPECT_THAT(read_labels(file("\xef\xbb\xbfn01440764 tench, Tinca tinca\n")).value(),
              ElementsAre("n01440764 tench, Tinca tinca"));
  EXPECT_THAT(read_labels(file("'n01440764 tench'\n\"lady's slipper\"\n'lady''s'\n''''")).value(),
              ElementsAre("n01440764 tench", "lady's slipper", "lady's", "'"));
}

TEST_F(labels, a_synset_is_split_from_its_words) {
  EXPECT_EQ(split_label("n01440764 tench, Tinca tinca").synset, "n01440764");
  EXPECT_EQ(split_label("n01440764 tench, Tinca tinca").words, "tench, Tinca tinca");
  EXPECT_EQ(split_label("n01440764").synset, "n01440764");
  EXPECT_EQ(split_label("n0144076 tench").synset, "");
  EXPECT_EQ(split_label("n014407645 tench").words, "n014407645 tench");
  EXPECT_EQ(split_label("cat").words, "cat");
}

TEST_F(labels, mistakes_are_named_by_line) {
  EXPECT_THAT(read_labels(file("a\n\nb\n")).error().message, HasSubstr("line 2 is empty"));
  EXPECT_THAT(read_labels(file("a\ncaf\xe9\n")).error().message, HasSubstr("line 2 is not UTF-8"));
  EXPECT_THAT(read_labels(file("\n")).error().message, HasSubstr("no labels in it"));
  EXPECT_THAT(read_labels("/nonexistent").error().message, HasSubstr("/nonexistent: cannot open"));
}

TEST_F(labels, their_number_must_be_that_of_the_classes_background_apart) {
  EXPECT_THAT(read_labels(file("a\nb\n"), 2).value(), ElementsAre("a", "b"));
  EXPECT_THAT(read_labels(file("background\na\nb\n"), 2).value(), ElementsAre("a", "b"));
  EXPECT_THAT(read_labels(file("a\nb\nc\n"), 2).error().message,
              HasSubstr("3 labels for a model of 2 classes"));
  EXPECT_FALSE(read_labels(file("a\n"), 2));
}

TEST_F(labels, imagenets_three_files_agree) {
  LINNET_DATA_OR_SKIP(folder, "labels");
  const auto synsets = read_labels(folder / "synset_words_1000.txt", 1000).value();
  EXPECT_EQ(read_labels(folder / "caffe_synset_words_1000.txt", 1000).value(), synsets);
  const auto plain = read_labels(folder / "coral_imagenet_labels_1001.txt", 1000).value();
  ASSERT_EQ(plain.size(), 1000u);
  EXPECT_EQ(plain[0], split_label(synsets[0]).words);
  EXPECT_EQ(read_labels(folder / "synset_words_1000.txt", 1001).value()[0], "background");
}

}  // namespace
}  // namespace linnet::data
