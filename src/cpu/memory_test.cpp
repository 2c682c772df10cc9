#include "cpu/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sanitizer.h"

namespace linnet::cpu {
namespace {

TEST(workspace, begins_on_a_cache_line_and_where_it_is_large_on_a_huge_page) {
  for (const auto& [bytes, boundary] :
       {std::pair<std::int64_t, std::size_t>{0, kCacheLine}, {100, kCacheLine}, {5 << 20, kHugePage}}) {
    const auto workspace = Workspace::allocate(bytes);
    ASSERT_TRUE(workspace) << bytes;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(workspace->data()) % boundary, 0u) << bytes;
  }
}

TEST(workspace, more_than_the_machine_has_is_an_error_that_says_how_much) {
#if LINNET_SANITIZED
  GTEST_SKIP() << "a sanitizer ends the process where memory runs out";
#endif
  const auto workspace = Workspace::allocate(std::int64_t{1} << 60);
  ASSERT_FALSE(workspace);
  EXPECT_THAT(workspace.error().message, testing::HasSubstr("1152921504606846976 bytes"));
}

}  // namespace
}  // namespace linnet::cpu
