// linnet quantize, end to end, on a small network and pictures that the test makes itself.
#include <algorithm>
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "run.h"
#include "support/data.h"

namespace linnet::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kNetwork = "mobilenet_v3_small:width=0.35,resolution=32,classes=10";

class quantize_verb : public ::testing::Test {
 protected:
  quantize_verb() {
    std::filesystem::create_directory(folder.path() / "pictures");
    for (int i = 0; i < 5; ++i) {
      std::ofstream file(pictures() / (std::to_string(i) + ".ppm"), std::ios::binary);
      file << "P6 40 36 255\n";
      for (int k = 0; k < 40 * 36 * 3; ++k) file << static_cast<char>(k * (37 + i) + k / 97);
    }
  }
  std::filesystem::path pictures() const { return folder.path() / "pictures"; }
  std::string path(const char* name) const { return folder.path() / name; }
  Outcome run(std::vector<std::string> arguments) {
    return run_linnet(arguments, {.environment = {{"LINNET_CACHE", path("cache")}, {"LINNET_DATA", ""}}});
  }
  /// `linnet quantize` of the network on the pictures.
  Outcome quantize(const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"quantize", "--model", kNetwork, "--calibration",
                                          pictures(), "--mean",  "0.5",    "--std",
                                          "0.5",      "-o",      out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  static std::string content(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  ScratchFolder folder;
};

TEST_F(quantize_verb, writes_an_int8_model_that_labels_pictures_and_says_what_it_cost) {
  const std::string out = path("int8.safetensors");
  const Outcome outcome = quantize(out);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("SQNR, dB"));
  EXPECT_THAT(outcome.out, HasSubstr("classifier.3"));
  EXPECT_THAT(outcome.out, HasSubstr("in float32"));
  const Outcome labels = run(
      {"classify", "--backend", "reference", "--model", out, "--top", "1", "--json", pictures() / "0.ppm"});
  EXPECT_EQ(labels.code, 0) << labels.err;
  EXPECT_THAT(labels.err, Not(HasSubstr("does not say"))) << "preprocessing travels with the model";
}

TEST_F(quantize_verb, names_the_channel_that_takes_a_layers_grid_away) {
  const std::string real = path("real.safetensors");
  ASSERT_EQ(run({"convert", "mobilenet_v2:width=0.35,resolution=32,classes=10", real}).code, 0);
  std::string bytes = content(real);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto weight = json::parse(bytes.substr(8, header))["features.0.0.weight"];
  const auto begin = weight["data_offsets"][0].get<std::size_t>(),
             end = weight["data_offsets"][1].get<std::size_t>();
  const std::size_t channel = (end - begin) / weight["shape"][0].get<std::size_t>();
  for (std::size_t i = 0; i < channel; i += sizeof(float)) {
    const float huge = 1e7f;
    std::memcpy(bytes.data() + 8 + header + begin + 5 * channel + i, &huge, sizeof huge);
  }
  std::ofstream(real, std::ios::binary) << bytes;
  const Outcome outcome = run({"quantize", "--model", real, "--calibration", pictures(), "--mean", "0.5",
                               "--std", "0.5", "-o", path("int8.safetensors")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("layer \"features.0.0\": channel 5 alone makes its int8 grid as coarse as it is"));
  EXPECT_THAT(quantize(path("usual.safetensors")).err, Not(HasSubstr("alone makes")));
}

TEST_F(quantize_verb, prints_every_layer_as_json) {
  const Outcome outcome = quantize(path("int8.safetensors"), {"--json", "--limit", "3"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result["images"], 3);
  EXPECT_LT(result["int8_bytes"], result["float_bytes"]);
  EXPECT_GT(result["median_sqnr_db"], 15);
  ASSERT_GT(result["layers"].size(), 60u);
  for (const json& layer : result["layers"]) {
    EXPECT_GT(layer["scale"], 0);
    EXPECT_THAT(layer["name"].get<std::string>(), Not(HasSubstr(".pre")));
  }
}

TEST_F(quantize_verb, writes_the_same_bytes_whatever_threads_and_isa) {
  ASSERT_EQ(quantize(path("one.safetensors"), {"--threads", "1"}).code, 0);
  ASSERT_EQ(quantize(path("three.safetensors"), {"--threads", "3"}).code, 0);
  const Outcome scalar = run_linnet(
      {"quantize", "--model", kNetwork, "--calibration", pictures(), "--mean", "0.5", "--std", "0.5", "-o",
       path("scalar.safetensors")},
      {.environment = {{"LINNET_CACHE", path("cache")}, {"LINNET_DATA", ""}, {"LINNET_ISA", "scalar"}}});
  ASSERT_EQ(scalar.code, 0) << scalar.err;
  const std::string one = content(path("one.safetensors"));
  EXPECT_GT(one.size(), 1000u);
  EXPECT_TRUE(one == content(path("three.safetensors")));
  EXPECT_TRUE(one == content(path("scalar.safetensors")));
}

TEST_F(quantize_verb, options_change_the_model) {
  ASSERT_EQ(quantize(path("usual.safetensors")).code, 0);
  const std::string usual = content(path("usual.safetensors"));
  for (const std::vector<std::string>& option : {std::vector<std::string>{"--method", "minmax"},
                                                 {"--method", "kl"},
                                                 {"--method", "percentile"},
                                                 {"--no-bias-correction"},
                                                 {"--no-weight-search"}}) {
    const Outcome outcome = quantize(path("other.safetensors"), option);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_FALSE(usual == content(path("other.safetensors"))) << option.back();
  }
}

TEST_F(quantize_verb, a_report_is_one_page_with_every_layer) {
  const Outcome outcome = quantize(path("int8.safetensors"), {"--report", path("report.html")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = content(path("report.html"));
  EXPECT_THAT(page, HasSubstr("<h3>classifier.3<span>"));
  EXPECT_THAT(page, Not(HasSubstr("http-equiv")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
}

TEST_F(quantize_verb, an_untrained_family_needs_no_pictures_and_a_file_does) {
  const Outcome untrained = run({"quantize", "--model", kNetwork, "-o", path("noise.safetensors")});
  EXPECT_EQ(untrained.code, 0) << untrained.err;
  EXPECT_THAT(untrained.err, HasSubstr("noise"));
  ASSERT_EQ(run({"convert", kNetwork, path("float.safetensors")}).code, 0);
  const Outcome file = run({"quantize", "--model", path("float.safetensors"), "-o", path("x.safetensors")});
  EXPECT_EQ(file.code, 2);
  EXPECT_THAT(file.err,
              HasSubstr("linnet quantize --model " + path("float.safetensors") + " --calibration FOLDER"));
}

TEST_F(quantize_verb, other_verbs_make_an_int8_model_for_themselves) {
  const Outcome noise = run({"bench", "--model", kNetwork, "--precision", "int8", "--json"});
  EXPECT_EQ(noise.code, 0) << noise.err;
  EXPECT_EQ(json::parse(noise.out)["precision"], "int8");
  ASSERT_EQ(quantize(path("int8.safetensors")).code, 0);
  const std::string picture = pictures() / "0.ppm";
  const auto predictions = [&](std::vector<std::string> model) {
    std::vector<std::string> arguments = {"classify", "--json", picture, "--model"};
    arguments.insert(arguments.end(), model.begin(), model.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out)["predictions"];
  };
  EXPECT_EQ(predictions({path("int8.safetensors")}),
            predictions({kNetwork, "--precision", "int8", "--calibration", pictures(), "--mean", "0.5",
                         "--std", "0.5"}));
}

TEST_F(quantize_verb, says_what_is_wrong) {
  const std::vector<std::pair<std::vector<std::string>, std::pair<int, std::string>>> cases = {
      {{"--method", "magic"}, {2, "minmax, percentile, mse and kl"}},
      {{"--limit", "0"}, {2, "--limit"}},
      {{"--report", "/nowhere/at/all.html"}, {1, "cannot write the report"}},
  };
  for (const auto& [more, expected] : cases) {
    const Outcome outcome = quantize(path("x.safetensors"), more);
    EXPECT_EQ(outcome.code, expected.first) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(expected.second));
  }
  EXPECT_EQ(quantize(path("model.pb")).code, 2);
  std::filesystem::create_directory(folder.path() / "empty");
  const Outcome empty = run({"quantize", "--model", kNetwork, "--mean", "0", "--std", "1", "--calibration",
                             path("empty"), "-o", path("x.safetensors")});
  EXPECT_EQ(empty.code, 1);
  ASSERT_EQ(quantize(path("int8.safetensors")).code, 0);
  const Outcome again = run({"quantize", "--model", path("int8.safetensors"), "--calibration", pictures(),
                             "-o", path("x.safetensors")});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("int8 already"));
}

}  // namespace
}  // namespace linnet::testing
