#include "data/split.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/testing.h"

namespace linnet::data {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> names(const Dataset& set) {
  std::vector<std::string> result;
  for (const Item& item : set.items) result.push_back(item.name);
  return result;
}

/// 60 of class 0, 30 of class 1, 10 of class 2.
Dataset uneven() {
  Dataset set = made_up(100, 1);
  for (std::size_t i = 0; i < 100; ++i) set.items[i].label = i % 10 == 9 ? 2 : i % 10 >= 6 ? 1 : 0;
  return set;
}

TEST(split, every_class_gives_its_share_and_nothing_is_lost) {
  const Dataset all = uneven();
  const auto parts = split(all, 20, 7);
  ASSERT_TRUE(parts) << parts.error().message;
  std::map<int, int> held;
  for (const Item& item : parts->validation.items) ++held[*item.label];
  EXPECT_EQ(held, (std::map<int, int>{{0, 12}, {1, 6}, {2, 2}}));
  std::set<std::string> seen;
  for (const Dataset* part : {&parts->train, &parts->validation}) {
    EXPECT_TRUE(std::ranges::is_sorted(part->items, {}, [](const Item& i) { return std::stoi(i.name); }));
    for (const std::string& name : names(*part)) EXPECT_TRUE(seen.insert(name).second) << name;
    EXPECT_NE(part->owner, nullptr);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(split, the_number_held_out_is_exact_whatever_the_classes) {
  const Dataset all = made_up(97, 7);
  for (const std::size_t n : {0u, 1u, 13u, 50u, 96u}) EXPECT_EQ(split(all, n, 1)->validation.items.size(), n);
}

TEST(split, the_seed_alone_decides) {
  const Dataset all = uneven();
  EXPECT_EQ(names(split(all, 20, 7)->validation), names(split(all, 20, 7)->validation));
  EXPECT_NE(names(split(all, 20, 7)->validation), names(split(all, 20, 8)->validation));
}

TEST(split, too_much_or_nothing_to_go_by_is_refused) {
  EXPECT_THAT(split(uneven(), 100, 1).error().message, HasSubstr("hold back fewer"));
  Dataset flat = uneven();
  flat.items[3].label.reset();
  EXPECT_THAT(split(flat, 20, 1).error().message, HasSubstr("have no class"));
}

}  // namespace
}  // namespace linnet::data
