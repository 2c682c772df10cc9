// Models that are part of the tool: with a tiny one of the tests in place of its own, and with none.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "run.h"
#include "support/data.h"

namespace linnet::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class embedded_test : public ::testing::Test {
 protected:
  /// An empty cache and no data, whatever this machine has.
  Outcome run(const std::vector<std::string>& arguments, const std::string& binary = LINNET_TINY_BINARY) {
    return run_linnet(
        arguments,
        {.environment = {{"LINNET_CACHE", folder.path() / "cache"}, {"LINNET_DATA", ""}}, .binary = binary});
  }
  json run_json(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }

  ScratchFolder folder;
  const std::string picture = repository_data("pictures/rgb8.png");
  const std::string file = repository_data("models/tiny.safetensors");
};

TEST_F(embedded_test, a_picture_is_labelled_where_no_model_is_named_and_that_is_said) {
  const Outcome outcome = run({"classify", "--json", picture});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("taking tiny, a part of this program"));
  EXPECT_THAT(outcome.err, HasSubstr("It sees 32x32 pixels and knows 3 classes: animal, mineral, plant"));
  const Outcome named = run({"classify", "--json", "--model", file, picture});
  EXPECT_EQ(json::parse(outcome.out)["predictions"], json::parse(named.out)["predictions"]);
  EXPECT_THAT(named.err, IsEmpty()) << "whoever names a model knows which it is";
}

TEST_F(embedded_test, its_name_goes_wherever_a_model_does) {
  EXPECT_THAT(run({"classify", "--model", "tiny", picture}).err, IsEmpty());
  EXPECT_EQ(run_json({"info", "tiny"}), run_json({"info", file}));
  EXPECT_GT(run_json({"plan", "tiny"})["peak_bytes"], 0);
  EXPECT_EQ(run_json({"bench", "--model", "tiny", "--runs", "2"})["precision"], "int8");
  EXPECT_EQ(run_json({"compare", "tiny", file, picture})["first_difference"], nullptr);
  const std::string copy = folder.path() / "copy.safetensors";
  EXPECT_EQ(run({"convert", "tiny", copy}).code, 0);
  EXPECT_EQ(run_json({"info", copy})["macs"], run_json({"info", "tiny"})["macs"]);
}

TEST_F(embedded_test, models_lists_it_first_with_what_its_metadata_says) {
  const json tiny = run_json({"models"})["models"].at(0);
  EXPECT_EQ(tiny["name"], "tiny");
  EXPECT_EQ(tiny["embedded"], true);
  EXPECT_EQ(tiny["default"], true);
  EXPECT_EQ(tiny["cached"], false);
  EXPECT_EQ(tiny["top1"], 0.25);
  EXPECT_EQ(tiny["bytes"], std::filesystem::file_size(file));
  EXPECT_EQ(tiny["macs"], run_json({"info", "tiny"})["macs"]);
  EXPECT_THAT(run({"models"}).out, HasSubstr("embedded, default"));
}

TEST_F(embedded_test, without_any_model_three_lines_say_how_to_get_one) {
  const Outcome outcome = run({"classify", picture}, LINNET_BARE_BINARY);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("linnet pull"));
  EXPECT_THAT(outcome.err, HasSubstr("--model"));
}

}  // namespace
}  // namespace linnet::testing
