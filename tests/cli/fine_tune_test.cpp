// linnet train --init, end to end: a trained model learns other classes. On pictures that the test makes
// itself.
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pictures.h"
#include "run.h"
#include "support/data.h"

namespace linnet::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class fine_tune_test : public ::testing::Test {
 protected:
  fine_tune_test() {
    for (int label = 0; label < 3; ++label)
      for (int i = 0; i < 16; ++i)
        write_picture(data / (i < 12 ? "train" : "test") / names[label] / (std::to_string(i) + ".ppm"), label,
                      i);
    // The model that it starts from knows other pictures under other names, in another order.
    const fs::path before = folder.path() / "before";
    for (int label = 0; label < 3; ++label)
      for (int i = 100; i < 112; ++i)
        write_picture(before / std::to_string((label + 1) % 3) / (std::to_string(i) + ".ppm"), label, i);
    const Outcome made =
        run_linnet({"train", "--model", "mobilenet_v1:width=0.125,resolution=32", "--data", before, "--out",
                    folder.path() / "base", "--batch-size", "8", "--threads", "1", "--lr", "0.05", "--epochs",
                    "100", "--schedule", "one-cycle", "--augment", "none"});
    EXPECT_EQ(made.code, 0) << made.err;
    model = (folder.path() / "base" / "model.safetensors").string();
  }
  Outcome train(const std::string& out, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "train",        "--init", model,       "--data", data,         "--out", folder.path() / out,
        "--batch-size", "8",      "--threads", "2",      "--hold-out", "6",     "--lr",
        "0.0001"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_linnet(arguments);
  }
  std::string page(const std::string& out) const {
    std::ostringstream text;
    text << std::ifstream(folder.path() / out / "report.html").rdbuf();
    return text.str();
  }

  static constexpr const char* names[] = {"lime", "ash", "plum"};
  ScratchFolder folder;
  fs::path data = folder.path() / "pictures";
  std::string model;
};

TEST_F(fine_tune_test, a_trained_model_learns_other_classes_and_the_report_says_how_well) {
  const Outcome outcome = train("run", {"--epochs", "4", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  EXPECT_EQ(result["images"], 30);
  EXPECT_EQ(result["test_images"], 12);
  EXPECT_GE(result["top1"], 0.9) << outcome.err;
  const Outcome label =
      run_linnet({"classify", "--model", result["model"].get<std::string>(), data / "test/ash/12.ppm"});
  EXPECT_THAT(label.out, HasSubstr("ash"));
  const std::string text = page("run");
  for (const char* what :
       {"Fine-tuned from", "30 images of 3 classes", "of 12 images", "linnet train --init"})
    EXPECT_THAT(text, HasSubstr(what));
}

TEST_F(fine_tune_test, a_bad_picture_is_named_and_left_out_everywhere) {
  fs::resize_file(data / "train/ash/3.ppm", 100);
  fs::resize_file(data / "test/lime/13.ppm", 100);
  const Outcome outcome = train("run", {"--epochs", "1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("train/ash/3.ppm"));
  EXPECT_THAT(outcome.err, HasSubstr("test/lime/13.ppm"));
  EXPECT_EQ(json::parse(outcome.out)["images"], 29);
  EXPECT_EQ(json::parse(outcome.out)["test_images"], 11);
}

TEST_F(fine_tune_test, frozen_layers_are_those_of_the_model_that_it_started_from) {
  const auto first_difference = [&](const char* a, const char* b) {
    const auto model_of = [&](const char* run) {
      return (folder.path() / run / "model.safetensors").string();
    };
    const Outcome compared = run_linnet(
        {"compare", model_of(a), model_of(b), data / "test/ash/12.ppm", "--tolerance", "0.00001", "--json"});
    EXPECT_EQ(compared.code, 0) << compared.err;
    return json::parse(compared.out)["first_difference"].get<std::string>();
  };
  ASSERT_EQ(train("head", {"--epochs", "1", "--freeze", "all"}).code, 0);
  ASSERT_EQ(train("other_head", {"--epochs", "1", "--freeze", "all", "--seed", "2"}).code, 0);
  ASSERT_EQ(train("four", {"--epochs", "1", "--freeze", "4"}).code, 0);
  EXPECT_THAT(first_difference("head", "other_head"), HasSubstr("classifier.1"));
  EXPECT_THAT(first_difference("head", "four"), HasSubstr("features.2.conv.1"));
}

TEST_F(fine_tune_test, wrong_requests_are_refused_in_words) {
  const Outcome frozen = train("run", {"--freeze", "1000"});
  EXPECT_EQ(frozen.code, 2);
  EXPECT_THAT(frozen.err, HasSubstr("--freeze takes 0 to 27 layers, or all"));
  EXPECT_EQ(train("run", {"--freeze", "some"}).code, 2);
  const Outcome both = train("run", {"--model", "mobilenet_v2"});
  EXPECT_EQ(both.code, 2);
  EXPECT_THAT(both.err, HasSubstr("give either --model"));
  EXPECT_EQ(train("run", {"--resolution", "33"}).code, 2);

  ASSERT_EQ(train("good", {"--epochs", "1"}).code, 0);
  const Outcome int8 = run_linnet({"train", "--init", folder.path() / "good" / "model.int8.safetensors",
                                   "--data", data, "--out", folder.path() / "again"});
  EXPECT_EQ(int8.code, 1);
  EXPECT_THAT(int8.err, HasSubstr("is an int8 model"));
}

}  // namespace
}  // namespace linnet::testing
