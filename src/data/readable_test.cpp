#include "data/readable.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/data.h"

namespace linnet::data {
namespace {

class readable_test : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  Dataset open() const { return open_dataset(folder.path().string(), {}, 2).value(); }

  const std::string good = "P6 1 1 255\nabc";
  linnet::testing::ScratchFolder folder;
};

TEST_F(readable_test, bad_files_are_reported_in_their_order_and_left_out) {
  for (const char* name : {"0/a.ppm", "0/b.ppm", "1/a.ppm", "1/c.ppm"}) write(name, good);
  write("0/bad.ppm", "P6 9 9 255\nabc");
  write("1/b.ppm", "");
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<std::string> told;
    const Dataset set =
        only_readable(open(), pool, [&](const Error& e) { told.push_back(e.message); }).value();
    std::vector<std::string> names;
    for (const Item& item : set.items) names.push_back(item.name);
    EXPECT_EQ(names, (std::vector<std::string>{"0/a.ppm", "0/b.ppm", "1/a.ppm", "1/c.ppm"}));
    ASSERT_EQ(told.size(), 2u);
    EXPECT_NE(told[0].find("0/bad.ppm"), std::string::npos);
    EXPECT_NE(told[1].find("1/b.ppm"), std::string::npos);
  }
}

TEST_F(readable_test, a_class_without_a_good_picture_is_an_error) {
  write("0/a.ppm", good);
  write("1/a.ppm", "");
  ThreadPool pool(2);
  const auto set = only_readable(open(), pool, [](const Error&) {});
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().message.find("of class 1"), std::string::npos);
}

}  // namespace
}  // namespace linnet::data
