// linnet train, end to end: what it writes, that it can be killed at any moment, and what it says when
// something is wrong. On pictures that the test makes itself.
#include <algorithm>
#include <chrono>
#include <csignal>
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
using ::testing::Each;
using ::testing::HasSubstr;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class train_test : public ::testing::Test {
 protected:
  train_test() {
    for (const char* part : {"train", "test"})
      for (int label = 0; label < 3; ++label)
        for (int i = 0; i < (*part == 't' && part[1] == 'r' ? 20 : 4); ++i)
          write_picture(data / part / names[label] / (std::to_string(i) + ".ppm"), label, i);
  }
  std::vector<std::string> command(const std::string& out, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train",
                                          "--model",
                                          "mobilenet_v1:width=0.125,resolution=32",
                                          "--data",
                                          data,
                                          "--out",
                                          folder.path() / out,
                                          "--batch-size",
                                          "8",
                                          "--threads",
                                          "1",
                                          "--hold-out",
                                          "6",
                                          "--lr",
                                          "0.01"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  static constexpr const char* names[] = {"lime", "ash", "plum"};
  ScratchFolder folder;
  fs::path data = folder.path() / "pictures";
};

TEST_F(train_test, a_run_leaves_a_float_model_an_int8_model_and_its_metrics) {
  const Outcome outcome = run_linnet(command("run", {"--epochs", "3", "--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  for (const char* field :
       {"top1", "images", "epochs", "seconds", "images_per_second", "model", "int8_model"})
    EXPECT_TRUE(result.contains(field)) << field;
  EXPECT_EQ(result["images"], 54);
  EXPECT_EQ(result["test_images"], 12);
  EXPECT_EQ(result["epochs"], 3);

  std::istringstream metrics(bytes_of(folder.path() / "run" / "metrics.jsonl"));
  int epochs = 0;
  for (std::string line; std::getline(metrics, line);) EXPECT_EQ(json::parse(line)["epoch"], ++epochs);
  EXPECT_EQ(epochs, 3);

  // What it says of the models is what `linnet eval` finds; labels and preprocessing travel in the files.
  for (const auto& [file, share] : {std::pair{"model", "top1"}, {"int8_model", "int8_top1"}}) {
    const Outcome eval =
        run_linnet({"eval", "--model", result[file].get<std::string>(), "--data", data / "test", "--json"});
    ASSERT_EQ(eval.code, 0) << eval.err;
    EXPECT_EQ(json::parse(eval.out)["top1"], result[share]);
  }
  const Outcome label =
      run_linnet({"classify", "--model", result["int8_model"].get<std::string>(), data / "test/plum/0.ppm"});
  EXPECT_THAT(label.out, HasSubstr("plum"));
}

// 20 times, at moments that differ from run to run and from machine to machine.
TEST_F(train_test, killed_twenty_times_it_ends_at_the_weights_of_the_undisturbed_run) {
  const std::vector<std::string> recipe = {
      "--epochs",           "150",  "--ema",   "0.99", "--mixup", "0.3", "--dropout", "0.1",
      "--checkpoint-every", "0.02", "--resume"};
  const auto started = std::chrono::steady_clock::now();
  const Outcome whole = run_linnet(command("whole", recipe));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto whole_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started)
          .count();
  // Twenty of them are five sixths of the undisturbed run on average, however fast the machine.
  const int latest_ms = std::max(2, static_cast<int>(whole_ms / 12));
  std::srand(static_cast<unsigned>(::time(nullptr)));
  int killed = 0;
  for (int i = 0; i < 20; ++i) {
    const int after = 1 + std::rand() % latest_ms;
    killed += run_linnet(command("killed", recipe), {.signal_after_ms = after}).code == 128 + SIGKILL ? 1 : 0;
  }
  EXPECT_GE(killed, 15) << "the run was over before it could be killed; undisturbed it took " << whole_ms
                        << " ms";
  const Outcome last = run_linnet(command("killed", recipe));
  ASSERT_EQ(last.code, 0) << last.err;
  for (const char* file : {"model.safetensors", "model.int8.safetensors"})
    EXPECT_EQ(bytes_of(folder.path() / "killed" / file), bytes_of(folder.path() / "whole" / file)) << file;
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path() / "killed" / "checkpoint"))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, Each("last.safetensors")) << "half-written files are cleared away";
}

TEST_F(train_test, asked_to_stop_it_writes_a_checkpoint_and_says_how_to_go_on) {
  const auto endless = command("run", {"--epochs", "100000", "--checkpoint-every", "1000"});
  const Outcome stopped = run_linnet(endless, {.signal_after_ms = 1500, .signal = SIGTERM});
  EXPECT_EQ(stopped.code, 1);
  EXPECT_THAT(stopped.err, HasSubstr("with --resume goes on"));
  EXPECT_TRUE(fs::exists(folder.path() / "run" / "checkpoint" / "last.safetensors"));
  const Outcome again = run_linnet(endless);
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("holds a run already. --resume goes on with it"));
}

TEST_F(train_test, a_full_disk_costs_a_warning_and_keeps_the_last_checkpoint) {
  auto begun = command("run", {"--epochs", "2"});
  ASSERT_EQ(run_linnet(begun).code, 0);
  const fs::path checkpoint = folder.path() / "run" / "checkpoint" / "last.safetensors";
  const std::string before = bytes_of(checkpoint);
  // Stopped in the first epoch's middle it would go on; here nothing larger than a page can be written.
  const Outcome full = run_linnet(command("run2", {"--epochs", "2"}), {.largest_file = 4096});
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr("The run goes on; the last good checkpoint stays"));
  EXPECT_THAT(full.err, HasSubstr("model.safetensors: cannot write"));
  EXPECT_FALSE(fs::exists(folder.path() / "run2" / "model.safetensors"));
  EXPECT_EQ(bytes_of(checkpoint), before);
}

TEST_F(train_test, what_cannot_be_trained_is_said_before_anything_is_written) {
  const auto refused = [&](std::vector<std::string> arguments, int code, const char* why) {
    const Outcome outcome = run_linnet(arguments);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
    EXPECT_FALSE(fs::exists(folder.path() / "bad"));
  };
  refused(command("bad", {"--optimizer", "adam"}), 2, "--optimizer takes sgd or adamw, not \"adam\"");
  refused(command("bad", {"--schedule", "linear"}), 2, "--schedule takes step, cosine or one-cycle");
  refused(command("bad", {"--rand-augment", "2"}), 2, "--rand-augment takes OPERATIONS,MAGNITUDE");
  refused(command("bad", {"--progressive", "20"}), 2, "--progressive takes EDGE:SHARE");
  refused(command("bad", {"--progressive", "64:0.5"}), 2,
          "must be smaller than the model's, which are 32x32x3");
  refused(command("bad", {"--temperature", "2"}), 2, "--temperature requires --teacher");
  refused(command("bad", {"--teacher", "nobody"}), 1, "nobody");
  refused(command("bad", {"--teacher", "mobilenet_v1_cifar10"}), 2, "knows 10 classes, the data have 3");
  refused(command("bad", {"--label-smoothing", "1"}), 2, "--label-smoothing takes a number from 0 to 0.99");
  auto all = command("bad");
  *(std::ranges::find(all, "--hold-out") + 1) = "60";
  refused(all, 2, "60 pictures cannot be held back from 60");
  auto classes = command("bad");
  classes[2] = "mobilenet_v1:classes=4";
  refused(classes, 2, "has 4 classes where the data have 3");
  auto nowhere = command("bad");
  nowhere[4] = folder.path() / "nowhere";
  refused(nowhere, 1, "nowhere");
}

}  // namespace
}  // namespace linnet::testing
