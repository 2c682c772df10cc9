#include "api/model_source.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/model_list.h"
#include "base/file.h"
#include "formats/safetensors/safetensors.h"
#include "hub/cache/cache.h"
#include "support/data.h"

namespace linnet {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

class model_source_test : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("LINNET_CACHE", (scratch.path() / "cache").c_str(), 1);
    ::unsetenv("LINNET_DATA");
  }
  void TearDown() override { ::unsetenv("LINNET_CACHE"); }

  /// As `linnet pull` leaves it.
  void put_into_cache(const std::string& name, const std::string& file) {
    hub::CachedModel model;
    model.name = name;
    model.folder = hub::model_folder(scratch.path() / "cache", name);
    std::filesystem::create_directories(model.folder);
    ASSERT_TRUE(write_file(model.folder / file, "weights"));
    model.files = {{file, "", 7, "", ""}};
    ASSERT_TRUE(hub::write_record(model, hub::Record::kPulled));
  }

  static Graph network(int classes, Dialect dialect) {
    FamilyConfig config = default_config(Family::kMobileNetV2);
    config.width = 0.1;
    config.resolution = 32;
    config.classes = classes;
    Graph graph = build(config).value();
    graph.dialect = dialect;
    graph.preprocessing.reset();
    return graph;
  }

  ScratchFolder scratch;
  std::vector<std::string> notices;
};

TEST_F(model_source_test, a_path_a_family_and_a_cached_name_are_told_apart) {
  const auto path = find_model(scratch.path().string());
  ASSERT_TRUE(path);
  EXPECT_EQ(path->path, scratch.path());
  const auto family = find_model("mobilenet_v2:width=0.35,resolution=96");
  ASSERT_TRUE(family);
  ASSERT_TRUE(family->family);
  EXPECT_EQ(family->family->resolution, 96);
  put_into_cache("mobilenet_v2-7ebf99e0", "mobilenet_v2-7ebf99e0.pth");
  const auto cached = find_model("mobilenet_v2-7ebf99e0");
  ASSERT_TRUE(cached) << cached.error().message;
  EXPECT_EQ(cached->path.filename(), "mobilenet_v2-7ebf99e0.pth");
  ASSERT_NE(cached->known, nullptr);
}

TEST_F(model_source_test, an_embedded_model_is_the_graph_of_its_file) {
  const auto source = find_model("tiny");
  ASSERT_TRUE(source) << source.error().message;
  const auto no_reader = [](const auto&) -> Result<Graph> { return fail("no file is read"); };
  const auto graph = read_model_source(*source, no_reader);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto file = formats::read_safetensors(testing::repository_data("models/tiny.safetensors"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*graph, *file);
}

TEST_F(model_source_test, what_is_not_there_says_what_to_do) {
  EXPECT_THAT(find_model("mobilenet_v2_1.0_224").error().message,
              HasSubstr("linnet pull mobilenet_v2_1.0_224"));
  EXPECT_THAT(find_model("photo.onnx").error().message, HasSubstr("there is no such file"));
  EXPECT_EQ(find_model("mobilenet_v2:depth=3").error().kind, Error::Kind::kUsage);
  EXPECT_EQ(find_model("").error().kind, Error::Kind::kUsage);
}

TEST_F(model_source_test, the_default_is_the_cache_then_the_data_folder_then_the_first_embedded) {
  const auto embedded = default_model();
  ASSERT_TRUE(embedded) << embedded.error().message;
  EXPECT_EQ(embedded->embedded, &hub::embedded_models().front());
  EXPECT_EQ(embedded->name, "tiny") << "of tests/data/models";

  const auto folder = scratch.path() / "models" / "huggingface" / "mobilenet_v2_1.0_224";
  std::filesystem::create_directories(folder);
  ::setenv("LINNET_DATA", scratch.path().c_str(), 1);
  EXPECT_EQ(default_model()->path, folder);
  ::unsetenv("LINNET_DATA");

  put_into_cache("mobilenet_v3_small-047dcff4", "w.pth");
  EXPECT_EQ(default_model()->name, "mobilenet_v3_small-047dcff4");
  put_into_cache("mobilenet_v2_1.0_224", "model.safetensors");
  EXPECT_EQ(default_model()->name, "mobilenet_v2_1.0_224");
}

TEST_F(model_source_test, a_pulled_model_gets_its_publishers_resize) {
  put_into_cache("mobilenet_v2-7ebf99e0", "w.pth");
  const auto source = find_model("mobilenet_v2-7ebf99e0");
  ASSERT_TRUE(source);
  const auto graph = read_model_source(
      *source, [](const auto&) -> Result<Graph> { return network(10, Dialect::kTorchvision); });
  ASSERT_TRUE(graph);
  ASSERT_TRUE(graph->preprocessing);
  EXPECT_EQ(graph->preprocessing->shortest_edge, 232);
}

TEST_F(model_source_test, a_file_that_says_nothing_gets_its_dialects_preprocessing_and_that_is_said) {
  const auto graph = settle_for_pictures(network(10, Dialect::kTimm), {}, notices);
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->preprocessing, timm_preprocessing(32));
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_THAT(notices[0], HasSubstr("usual in timm"));
  EXPECT_THAT(notices[0], HasSubstr("bicubic"));
}

TEST_F(model_source_test, an_imagenet_file_of_unknown_origin_is_taken_by_its_classes) {
  EXPECT_EQ(settle_for_pictures(network(1000, Dialect::kUnknown), {}, notices)->preprocessing,
            torchvision_preprocessing(32));
  EXPECT_EQ(settle_for_pictures(network(1001, Dialect::kUnknown), {}, notices)->preprocessing,
            tensorflow_preprocessing());
  const auto other = settle_for_pictures(network(5, Dialect::kUnknown), {}, notices);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("--mean and --std"));
}

TEST_F(model_source_test, what_the_file_says_stays_and_is_not_said_again) {
  Graph graph = network(10, Dialect::kTorchvision);
  graph.preprocessing = tensorflow_preprocessing();
  EXPECT_EQ(settle_for_pictures(graph, {}, notices)->preprocessing, tensorflow_preprocessing());
  EXPECT_TRUE(notices.empty());
}

TEST_F(model_source_test, each_override_replaces_its_part) {
  PictureOverrides overrides;
  overrides.resize = 40;
  overrides.crop = 32;
  overrides.filter = Filter::kBicubic;
  overrides.mean = {0.5f, 0.25f, 0.125f};
  overrides.deviation = {0.5f};
  Graph graph = network(10, Dialect::kUnknown);
  graph.preprocessing = tensorflow_preprocessing();
  const auto settled = settle_for_pictures(graph, overrides, notices);
  ASSERT_TRUE(settled);
  const Preprocessing& p = *settled->preprocessing;
  EXPECT_EQ(p.shortest_edge, 40);
  EXPECT_FALSE(p.resize_to_input);
  EXPECT_FALSE(p.central_fraction);
  EXPECT_EQ(p.filter, Filter::kBicubic);
  EXPECT_EQ(p.mean, (std::array{0.5f, 0.25f, 0.125f}));
  EXPECT_EQ(p.deviation, (std::array{0.5f, 0.5f, 0.5f}));
}

TEST_F(model_source_test, overrides_that_make_no_sense_are_wrong_usage) {
  const Graph graph = network(10, Dialect::kTorchvision);
  PictureOverrides overrides;
  overrides.crop = 31;
  EXPECT_EQ(settle_for_pictures(graph, overrides, notices).error().kind, Error::Kind::kUsage);
  overrides = {.resize = 16};
  EXPECT_EQ(settle_for_pictures(graph, overrides, notices).error().kind, Error::Kind::kUsage);
  overrides = {.mean = std::vector{1.0f, 2.0f}};
  EXPECT_EQ(settle_for_pictures(graph, overrides, notices).error().kind, Error::Kind::kUsage);
  overrides = {.deviation = std::vector{1.0f, 0.0f, 1.0f}};
  EXPECT_EQ(settle_for_pictures(graph, overrides, notices).error().kind, Error::Kind::kUsage);
}

TEST_F(model_source_test, labels_must_be_as_many_as_classes) {
  const auto path = scratch.path() / "labels.txt";
  ASSERT_TRUE(write_file(path, "a\r\nb\r\nc\n"));
  const auto settled = settle_for_pictures(network(3, Dialect::kTorchvision), {.labels = path}, notices);
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->labels, (std::vector<std::string>{"a", "b", "c"}));
  const auto wrong = settle_for_pictures(network(4, Dialect::kTorchvision), {.labels = path}, notices);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("3"));
}

TEST_F(model_source_test, a_thousand_labels_fit_a_model_with_a_background_class) {
  const auto path = scratch.path() / "labels.txt";
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "class " + std::to_string(i) + "\n";
  ASSERT_TRUE(write_file(path, text));
  const auto settled = settle_for_pictures(network(1001, Dialect::kTensorflow), {.labels = path}, notices);
  ASSERT_TRUE(settled);
  EXPECT_EQ(settled->labels[0], "background");
  EXPECT_EQ(settled->labels[1], "class 0");
}

TEST_F(model_source_test, every_known_model_is_listed_with_the_costs_of_its_network) {
  const auto models = list_models();
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_EQ(models->size(), hub::embedded_models().size() + hub::known_models().size());
  for (const ListedModel& model : *models)
    if (model.name == "mobilenet_v2-b0353104") {
      EXPECT_EQ(model.macs, 300'774'272);
      EXPECT_EQ(model.parameters, 3'504'872);
      EXPECT_TRUE(model.path.empty());
      EXPECT_FALSE(model.is_default);
    }
}

}  // namespace
}  // namespace linnet
