#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/labels.h"
#include "support/data.h"

namespace linnet::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::vector<std::string> kAnimals = {"n02123045 tabby, tabby cat", "n01440764 tench, Tinca tinca",
                                           "n02012849 crane", "n03126707 crane"};

class dataset : public ::testing::Test {
 protected:
  /// Opening never decodes, so a picture needs no pixels here.
  void add(const std::string& name, std::string_view text = "") {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    ASSERT_TRUE(write_file(folder_.path() / name, text));
  }
  std::string root() const { return folder_.path().string(); }
  Result<Dataset> open(std::span<const std::string> labels = kAnimals, int classes = 4) {
    return open_dataset(root(), labels, classes);
  }
  /// "name label" a picture.
  std::vector<std::string> contents(std::span<const std::string> labels = kAnimals, int classes = 4) {
    const auto set = open(labels, classes);
    EXPECT_TRUE(set) << (set ? "" : set.error().message);
    std::vector<std::string> lines;
    for (const Item& item : set ? set->items : std::vector<Item>())
      lines.push_back(fmt::format("{} {}", item.name, item.label ? std::to_string(*item.label) : "-"));
    return lines;
  }
  std::string refusal(std::span<const std::string> labels = kAnimals, int classes = 4) {
    const auto set = open(labels, classes);
    EXPECT_FALSE(set);
    return set ? "" : set.error().message;
  }

 private:
  linnet::testing::ScratchFolder folder_;
};

// ---- Class folders ----

TEST_F(dataset, folders_are_named_by_synset_label_or_index) {
  add("n01440764/b.JPG");
  add("n01440764/a.png");
  add("n01440764/.hidden.png");
  add("n01440764/notes.txt");
  add("tabby/deep/c.webp");
  add("3/d.bmp");
  EXPECT_THAT(contents(),
              ElementsAre("3/d.bmp 3", "n01440764/a.png 1", "n01440764/b.JPG 1", "tabby/deep/c.webp 0"));
  EXPECT_TRUE(open()->labelled());
}

TEST_F(dataset, labels_match_whole_or_up_to_the_comma_whatever_the_case) {
  add("Tinca_tinca/x.png");
  EXPECT_THAT(refusal(), HasSubstr("\"Tinca_tinca\" is no label of the model"));
  add("TENCH,_tinca TINCA/x.png");
  std::filesystem::remove_all(root() + "/Tinca_tinca");
  EXPECT_THAT(contents(), ElementsAre("TENCH,_tinca TINCA/x.png 1"));
}

TEST_F(dataset, a_label_of_two_classes_is_refused) {
  add("crane/x.png");
  add("tench/y.png");
  EXPECT_THAT(refusal(),
              HasSubstr("\"crane\" is the label of several classes; name it by synset or by index"));
}

TEST_F(dataset, unknown_names_are_numbered_if_there_are_as_many_as_classes) {
  for (const char* name : {"w", "x", "y", "z"}) add(std::string(name) + "/1.png");
  EXPECT_THAT(contents(), ElementsAre("w/1.png 0", "x/1.png 1", "y/1.png 2", "z/1.png 3"));
  add("zz/1.png");
  EXPECT_THAT(refusal(), HasSubstr("as many folders (5) as classes (4)"));
}

TEST_F(dataset, known_and_unknown_names_do_not_mix) {
  add("tench/1.png");
  add("w/1.png");
  EXPECT_THAT(refusal(),
              HasSubstr("1 of 2 folders are named as classes of the model, but folder \"w\" is no label"));
}

TEST_F(dataset, synsets_without_synsets_in_the_labels_say_what_is_missing) {
  add("n01440764/1.png");
  const std::vector<std::string> words = {"tench", "tabby"};
  EXPECT_THAT(refusal(words, 2), HasSubstr("whose labels have no synsets; give them with --labels"));
}

TEST_F(dataset, folders_that_mean_one_class_or_hold_nothing_are_refused) {
  add("tench/1.png");
  add("1/1.png");
  EXPECT_THAT(refusal(), HasSubstr("two folders mean class 1"));
  std::filesystem::remove_all(root() + "/1");
  add("tabby/readme.txt");
  EXPECT_THAT(refusal(), HasSubstr("no pictures in this class's folder"));
}

TEST_F(dataset, an_index_out_of_range_is_refused) {
  add("4/1.png");
  EXPECT_THAT(refusal(), HasSubstr("class 4 is outside of the model's 0 to 3"));
}

TEST_F(dataset, pictures_beside_class_folders_are_refused) {
  add("tench/1.png");
  add("stray.png");
  EXPECT_THAT(refusal(), HasSubstr("1 folders and 1 loose pictures (stray.png"));
}

TEST_F(dataset, background_is_no_class) {
  std::vector<std::string> labels(1001, "other");
  labels[0] = "background";
  labels[1] = "tench";
  add("tench/1.png");
  EXPECT_THAT(contents(labels, 1001), ElementsAre("tench/1.png 1"));
  add("0/1.png");
  EXPECT_THAT(refusal(labels, 1001), HasSubstr("class 0 is outside of the model's 1 to 1000"));
}

// ---- labels.csv ----

TEST_F(dataset, a_csv_names_files_and_classes) {
  add("in/a.png");
  add("b.png");
  add("labels.csv", "class,file,note\r\n\"tench, Tinca tinca\",in/a.png,x\r\n2,b.png,\r\n");
  EXPECT_THAT(contents(), ElementsAre("in/a.png 1", "b.png 2"));
}

TEST_F(dataset, an_index_from_0_to_999_leaves_background_out) {
  add("a.png");
  add("labels.csv", "file,class_index_0_999\na.png,7\n");
  EXPECT_THAT(contents({}, 1000), ElementsAre("a.png 7"));
  EXPECT_THAT(contents({}, 1001), ElementsAre("a.png 8"));
  EXPECT_THAT(refusal({}, 7), HasSubstr("line 2: class 7 is outside of the model's 7 classes"));
}

TEST_F(dataset, bad_rows_are_named_by_line) {
  add("a.png");
  add("labels.csv", "file,class\na.png,1\nb.png,1\n");
  EXPECT_THAT(refusal(), HasSubstr("labels.csv: line 3: there is no file \"b.png\""));
  add("labels.csv", "file,class\n\na.png,wolf\n");
  EXPECT_THAT(refusal(), HasSubstr("line 3: \"wolf\" is no label"));
  add("labels.csv", "file,class_index_0_999\na.png,x\n");
  EXPECT_THAT(refusal(), HasSubstr("line 2: class_index_0_999 is \"x\""));
  add("labels.csv", "file,class_index_0_999\na.png,99999999999\n");
  EXPECT_THAT(refusal(), HasSubstr("line 2"));
  add("labels.csv", "name,class\n");
  EXPECT_THAT(refusal(), HasSubstr("no column \"file\""));
  add("labels.csv", "file,klass\n");
  EXPECT_THAT(refusal(), HasSubstr("no column \"class_index_0_999\" or \"class\""));
  add("labels.csv", "file,class\n");
  EXPECT_THAT(refusal(), HasSubstr("no pictures"));
  add("labels.csv", "");
  EXPECT_THAT(refusal(), HasSubstr("is empty"));
}

// ---- Flat folders, and no folder at all ----

TEST_F(dataset, a_flat_folder_has_pictures_without_classes) {
  add("b.png");
  add("a.jpeg");
  add("readme.md");
  EXPECT_THAT(contents(), ElementsAre("a.jpeg -", "b.png -"));
  EXPECT_FALSE(open()->labelled());
  add("b.png", "P6 1 1 255 \x01\x02\x03");  // the contents decide, not the name
  EXPECT_THAT(load(open()->items[1])->pixels, ElementsAre(1, 2, 3));
  EXPECT_THAT(load(open()->items[0]).error().message, HasSubstr("a.jpeg"));
}

TEST_F(dataset, without_classes_every_form_is_only_pictures) {
  add("whatever/a.png");
  EXPECT_THAT(contents({}, 0), ElementsAre("whatever/a.png -"));
}

TEST_F(dataset, what_is_no_data_set_says_what_one_is) {
  EXPECT_THAT(refusal(), HasSubstr("no pictures in the folder; a data set is cifar10:DIR"));
  add("file.txt");
  EXPECT_THAT(open_dataset(root() + "/file.txt", {}, 4).error().message,
              HasSubstr("is a file; a data set is"));
  EXPECT_THAT(open_dataset(root() + "/nowhere", {}, 4).error().message,
              HasSubstr("is not there; a data set is"));
}

TEST_F(dataset, a_wrong_number_of_labels_is_refused) {
  add("1/a.png");
  EXPECT_THAT(refusal(kAnimals, 5), HasSubstr("4 labels for a model of 5 classes"));
}

// ---- CIFAR-10 ----

/// A batch of the right size: record i has class i % 10, red i % 251, green 1, blue 2.
std::string batch() {
  std::string bytes;
  bytes.reserve(30'730'000);
  for (int i = 0; i < 10'000; ++i) {
    bytes += static_cast<char>(i % 10);
    bytes.append(1024, static_cast<char>(i % 251));
    bytes.append(1024, 1);
    bytes.append(1024, 2);
  }
  return bytes;
}

TEST_F(dataset, cifar10_is_read_in_place) {
  add("cifar-10-batches-bin/test_batch.bin", batch());
  const auto set = open_dataset("cifar10:" + root(), {}, 10);
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_THAT(set->items, SizeIs(10'000));
  EXPECT_EQ(set->items[1234].label, 4);
  EXPECT_EQ(set->items[1234].name, "test_batch.bin 1234");
  ASSERT_THAT(set->items[1234].planes, SizeIs(3072));
  EXPECT_EQ(set->items[1234].planes[1023], std::byte(1234 % 251));
  EXPECT_EQ(set->items[1234].planes[1024], std::byte(1));
  EXPECT_EQ(set->items[9999].planes[3071], std::byte(2));
  const auto picture = load(set->items[1234]);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->height, 32);
  ASSERT_THAT(picture->pixels, SizeIs(3072));
  EXPECT_THAT(std::span(picture->pixels).last(3), ElementsAre(1234 % 251, 1, 2));
  EXPECT_THAT(open_dataset("cifar10:" + root(), {}, 10, Part::kTrain).error().message,
              HasSubstr("data_batch_1.bin: is not there"));
}

TEST_F(dataset, cifar10_classes_follow_the_models_labels) {
  add("test_batch.bin", batch());
  const std::vector<std::string> reversed = {"truck", "ship", "horse", "frog",       "dog",
                                             "deer",  "cat",  "bird",  "automobile", "airplane"};
  EXPECT_EQ(open_dataset("cifar10:" + root(), reversed, 10)->items[1].label, 8);
  std::vector<std::string> others = reversed;
  others[3] = "toad";
  EXPECT_THAT(open_dataset("cifar10:" + root(), others, 10).error().message,
              HasSubstr("\"frog\" is missing"));
  EXPECT_THAT(open_dataset("cifar10:" + root(), {}, 1000).error().message,
              HasSubstr("CIFAR-10 has 10 classes, the model 1000"));
  EXPECT_FALSE(open_dataset("cifar10:" + root(), {}, 0)->labelled());
}

TEST_F(dataset, a_damaged_batch_of_cifar10_is_refused) {
  std::string bytes = batch();
  bytes[3073 * 77] = 10;
  add("test_batch.bin", bytes);
  EXPECT_THAT(open_dataset("cifar10:" + root(), {}, 10).error().message, HasSubstr("record 77 has class 10"));
  bytes.pop_back();
  add("test_batch.bin", bytes);
  EXPECT_THAT(open_dataset("cifar10:" + root(), {}, 10).error().message,
              HasSubstr("30729999 bytes, but a batch"));
  EXPECT_THAT(open_dataset("cifar10:" + root() + "/nowhere", {}, 10).error().message,
              HasSubstr("is not there; cifar10:DIR wants"));
}

// ---- Real photographs ----

TEST(dataset_real, the_labelled_photographs_open_with_synsets_that_agree) {
  LINNET_DATA_OR_SKIP(folder, "photos/imagenet");
  LINNET_DATA_OR_SKIP(label_file, "labels/synset_words_1000.txt");
  const auto labels = read_labels(label_file, 1001);
  ASSERT_TRUE(labels) << labels.error().message;
  const auto set = open_dataset(folder.string(), *labels, 1001);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(set->items, SizeIs(183));
  EXPECT_EQ(set->items[0].label, 129);
  EXPECT_EQ(split_label((*labels)[129]).synset, "n02002724");
}

}  // namespace
}  // namespace linnet::data
