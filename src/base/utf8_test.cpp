#include "base/utf8.h"

#include <gtest/gtest.h>

namespace linnet {
namespace {

TEST(utf8, text_of_every_length_passes) {
  for (const char* text : {"", "tench", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\xa6", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
}

TEST(utf8, what_is_no_text_is_told) {
  for (const char* bytes : {"\x80", "caf\xe9", "\xc3", "\xc3(", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf",
                            "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(is_utf8(bytes));
}

}  // namespace
}  // namespace linnet
