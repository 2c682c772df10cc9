#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/data.h"

namespace linnet {
namespace {

using testing::ScratchFolder;

TEST(file, a_written_file_reads_back) {
  const ScratchFolder folder;
  const auto path = folder.path() / "file";
  ASSERT_TRUE(write_file(path, "hello"));
  EXPECT_EQ(read_text(path).value(), "hello");
}

TEST(file, an_empty_file_is_empty_and_no_error) {
  const ScratchFolder folder;
  const auto path = folder.path() / "empty";
  ASSERT_TRUE(write_file(path, ""));
  EXPECT_EQ(read_text(path).value(), "");
}

TEST(file, a_missing_file_and_a_directory_are_told_apart) {
  EXPECT_NE(MappedFile::open("/nonexistent/x").error().message.find("No such file"), std::string::npos);
  EXPECT_NE(MappedFile::open("/").error().message.find("is a directory"), std::string::npos);
  EXPECT_NE(MappedFile::open("/dev/null").error().message.find("not a regular file"), std::string::npos);
}

TEST(file, a_full_disk_is_reported_and_leaves_the_old_file) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const ScratchFolder folder;
  const auto path = folder.path() / "model";
  ASSERT_TRUE(write_file(path, "old"));
  // The temporary name leads to /dev/full, where every write fails with ENOSPC.
  std::filesystem::create_symlink("/dev/full", path.string() + ".part-" + std::to_string(::getpid()));
  const auto result = write_file(path, "new");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("No space left"), std::string::npos) << result.error().message;
  EXPECT_EQ(read_text(path).value(), "old");
}

}  // namespace
}  // namespace linnet
