#include "hub/cifar10/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "hub/cifar10/testing.h"
#include "support/data.h"

namespace linnet::hub {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

class archive_test : public ::testing::Test {
 protected:
  Result<void> read(std::string_view bytes, std::size_t largest = 1 << 20) {
    EXPECT_TRUE(write_file(path(), bytes));
    seen.clear();
    return read_archive(
        path(), [](std::string_view name) { return name != "unwanted"; }, largest,
        [&](std::string_view name, std::span<const std::byte> content) -> Result<void> {
          seen[std::string(name)] = {reinterpret_cast<const char*>(content.data()), content.size()};
          return {};
        });
  }
  std::filesystem::path path() const { return folder.path() / "x.tgz"; }

  ScratchFolder folder;
  Contents seen;
};

TEST_F(archive_test, wanted_files_come_whole_and_without_their_folders) {
  const std::string large(300'000, 'x');
  ASSERT_TRUE(read(archive_of({{"a/b/c", "hello"}, {"d", large}, {"empty", ""}, {"e/unwanted", "no"}})));
  EXPECT_EQ(seen, (Contents{{"c", "hello"}, {"d", large}, {"empty", ""}}));
  EXPECT_TRUE(std::filesystem::is_regular_file(path()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "nothing is written";
}

TEST_F(archive_test, a_file_that_is_too_large_is_refused_before_it_is_read) {
  const auto result = read(archive_of({{"d", std::string(1001, 'x')}}), 1000);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("\"d\" in it has 1001 bytes"));
}

TEST_F(archive_test, an_archive_cut_short_anywhere_is_an_error_or_lacks_files) {
  Random random(1);
  std::string noise;
  for (int i = 0; i < 200'000; ++i) noise += static_cast<char>(random.next() >> 56);
  const std::string whole = archive_of({{"a", noise}, {"b", noise}});
  ASSERT_TRUE(read(whole));
  for (std::size_t n = 0; n + 100 < whole.size(); n += 10'007) {
    const auto result = read(whole.substr(0, n));
    for (const auto& [name, bytes] : seen)
      EXPECT_EQ(bytes, noise) << name << " is handed over whole or not, " << n;
    if (result)
      EXPECT_LT(seen.size(), 2u) << n;
    else
      EXPECT_THAT(result.error().message, HasSubstr("get it again")) << n;
  }
}

TEST_F(archive_test, what_is_no_archive_or_not_there_says_so) {
  EXPECT_THAT(read("hello").error().message, HasSubstr("no .tar.gz"));
  std::filesystem::remove(path());
  const auto absent = read_archive(path(), [](std::string_view) { return true; }, 1, {});
  EXPECT_THAT(absent.error().message, HasSubstr("cannot open"));
}

TEST_F(archive_test, an_error_of_the_reader_ends_the_reading) {
  ASSERT_TRUE(write_file(path(), archive_of({{"a", "1"}, {"b", "2"}})));
  int calls = 0;
  const auto result = read_archive(
      path(), [](std::string_view) { return true; }, 10,
      [&](std::string_view, std::span<const std::byte>) -> Result<void> {
        ++calls;
        return fail("enough");
      });
  EXPECT_EQ(result.error().message, "enough");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace linnet::hub
