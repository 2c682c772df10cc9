#include "data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(csv, quotes_protect_commas_quotes_and_line_ends) {
  const auto rows = parse_csv("a,b\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n", "t");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_THAT((*rows)[1].fields, ElementsAre("x, y", "say \"hi\""));
  EXPECT_THAT((*rows)[2].fields, ElementsAre("two\nlines", ""));
}

TEST(csv, a_mark_carriage_returns_empty_lines_and_a_missing_last_line_end_are_accepted) {
  const auto rows = parse_csv(
      "\xef\xbb\xbf"
      "a,b\r\n\r\n1,\"2\"\r\n3,4",
      "t");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_THAT((*rows)[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT((*rows)[1].fields, ElementsAre("1", "2"));
  EXPECT_EQ((*rows)[1].line, 3);
  EXPECT_THAT((*rows)[2].fields, ElementsAre("3", "4"));
}

TEST(csv, mistakes_are_named_by_line) {
  EXPECT_THAT(parse_csv("a,b\n1,2\n1\n", "f.csv").error().message,
              HasSubstr("f.csv: line 3: 1 fields, but the first line has 2"));
  EXPECT_THAT(parse_csv("a\n\"x\ny", "f.csv").error().message, HasSubstr("line 2: a quote is opened"));
  EXPECT_THAT(parse_csv("a\n\"x\"y\n", "f.csv").error().message, HasSubstr("line 2: text follows"));
  EXPECT_THAT(parse_csv("a\nx\"y\n", "f.csv").error().message, HasSubstr("line 2: a quote stands inside"));
  EXPECT_THAT(parse_csv("a\n\"1\n2\"\n\"3\"4", "f.csv").error().message, HasSubstr("line 4"));
}

TEST(csv, nothing_is_no_rows) { EXPECT_TRUE(parse_csv("", "t").value().empty()); }

}  // namespace
}  // namespace linnet::data
