// JSON from files that nobody vouches for.
#include "formats/metadata/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::formats {
namespace {

using ::testing::HasSubstr;

std::string complaint(std::string_view text, JsonLimits limits = {}) {
  const auto json = parse_json(text, limits);
  return json ? "no complaint" : json.error().message;
}

TEST(json, what_is_legal_is_read_in_the_order_of_the_file) {
  const Json json = parse_json(R"({"z":[1,-2,2.5,null,true],"a":{"b":"é\n"}})").value();
  EXPECT_EQ(json.dump(), R"({"z":[1,-2,2.5,null,true],"a":{"b":"é\n"}})");
}

TEST(json, what_is_not_legal_is_refused_with_the_byte) {
  EXPECT_THAT(complaint(""), HasSubstr("not legal JSON"));
  EXPECT_THAT(complaint("{}x"), HasSubstr("byte 3"));
  EXPECT_THAT(complaint("[1,"), HasSubstr("byte 4"));
  EXPECT_THAT(complaint("[\"\xff\"]"), HasSubstr("byte 3"));
  EXPECT_THAT(complaint("[1e999]"), HasSubstr("not legal JSON"));
}

TEST(json, depth_number_of_values_and_repeated_keys_are_bounded) {
  EXPECT_EQ(complaint("[[[1]]]", {.depth = 3}), "no complaint");
  EXPECT_THAT(complaint("[[[[1]]]]", {.depth = 3}), HasSubstr("nested more than 3 deep"));
  EXPECT_THAT(complaint(std::string(1'000'000, '[')), HasSubstr("nested more than 16 deep"));
  EXPECT_EQ(complaint("[1,2]", {.values = 3}), "no complaint");
  EXPECT_THAT(complaint("[1,2,3]", {.values = 3}), HasSubstr("more than 3 values"));
  EXPECT_THAT(complaint(R"({"a":1,"b":{"a":2},"a":3})"), HasSubstr("the key \"a\" stands twice"));
}

TEST(json, a_member_is_taken_with_its_kind_and_its_range) {
  const Json json = parse_json(R"({"i":7,"d":1.5,"b":true,"s":"x","n":null,"big":1e300})").value();
  EXPECT_EQ(integer_or(json, "i", 0, 0, 7).value(), 7);
  EXPECT_EQ(integer_or(json, "n", 3, 0, 7).value(), 3) << "null counts as absent";
  EXPECT_EQ(integer_or(json, "absent", 3, 0, 7).value(), 3);
  EXPECT_THAT(integer_or(json, "i", 0, 0, 6).error().message, "\"i\" is 7, expected an integer in [0, 6]");
  EXPECT_THAT(integer_or(json, "d", 0, 0, 6).error().message, HasSubstr("expected an integer"));
  EXPECT_THAT(integer_or(json, "big", 0, 0, 6).error().message, HasSubstr("expected an integer"));
  EXPECT_EQ(number_or(json, "d", 0).value(), 1.5);
  EXPECT_THAT(number_or(json, "s", 0).error().message, "\"s\" is \"x\", expected a number");
  EXPECT_TRUE(bool_or(json, "b", false).value());
  EXPECT_THAT(bool_or(json, "i", false).error().message, HasSubstr("expected true or false"));
  EXPECT_EQ(string_or(json, "s", "").value(), "x");
  EXPECT_THAT(string_or(json, "b", "").error().message, HasSubstr("expected a string"));
  EXPECT_EQ(to_float(json["d"]).value(), 1.5f);
  EXPECT_THAT(to_float(json["big"]).error().message, "is 1e+300, expected a number");
  EXPECT_EQ(find(Json(7), "i"), nullptr) << "what is no object has no members";
}

}  // namespace
}  // namespace linnet::formats
