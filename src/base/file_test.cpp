#include "base/file.h"

#include <algorithm>
#include <fstream>

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

/// Bytes of files that this process has in memory.
std::int64_t resident_file_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0, shared = 0;
  statm >> size >> resident >> shared;
  return shared * ::sysconf(_SC_PAGESIZE);
}

TEST(file, released_pages_leave_memory_and_come_back_when_they_are_read) {
  const ScratchFolder folder;
  const auto path = folder.path() / "file";
  const std::string text(std::size_t{8} << 20, 'x');
  ASSERT_TRUE(write_file(path, text));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  const auto is_whole = [&] {
    return std::ranges::all_of(file->bytes(), [](std::byte b) { return b == std::byte{'x'}; });
  };
  EXPECT_TRUE(is_whole());
  const std::int64_t before = resident_file_bytes();
  if (before == 0) GTEST_SKIP() << "this system has no /proc/self/statm";
  release_pages(file->owner(), file->bytes());
  EXPECT_LT(resident_file_bytes(), before - (7 << 20));
  EXPECT_TRUE(is_whole());
}

TEST(file, only_a_mapped_file_s_pages_are_released) {
  const auto values = std::make_shared<const std::vector<char>>(std::size_t{1} << 20, 'x');
  release_pages(values, std::as_bytes(std::span(*values)));
  EXPECT_EQ(std::ranges::count(*values, 'x'), std::ssize(*values));
}

}  // namespace
}  // namespace linnet
