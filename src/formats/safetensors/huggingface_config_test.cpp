// config.json and preprocessor_config.json: each field, each refusal.
#include "formats/safetensors/huggingface_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/safetensors/safetensors.h"
#include "support/data.h"

namespace linnet::formats {
namespace {

using linnet::testing::ScratchFolder;
using ::testing::HasSubstr;

Result<ModelCard> card(const std::string& config, const std::string& preprocessor = "") {
  const ScratchFolder folder;
  EXPECT_TRUE(write_file(folder.path() / "config.json", config));
  if (!preprocessor.empty()) {
    EXPECT_TRUE(write_file(folder.path() / "preprocessor_config.json", preprocessor));
  }
  return read_model_card(folder.path());
}
std::string complaint(const std::string& config, const std::string& preprocessor = "") {
  const auto read = card(config, preprocessor);
  return read ? "no complaint" : read.error().message;
}
const std::string kV1 = R"({"model_type":"mobilenet_v1"})";
const std::string kV2 = R"({"model_type":"mobilenet_v2"})";
std::string v2(const std::string& field) { return R"({"model_type":"mobilenet_v2",)" + field + "}"; }

TEST(huggingface_config, an_empty_config_means_what_transformers_means_by_it) {
  const ModelCard v1_card = card(kV1).value();
  EXPECT_EQ(*v1_card.hints.config, dialect_config(Family::kMobileNetV1, Dialect::kHuggingFace));
  const ModelCard v2_card = card(kV2).value();
  EXPECT_EQ(*v2_card.hints.config, dialect_config(Family::kMobileNetV2, Dialect::kHuggingFace));
  EXPECT_TRUE(v2_card.labels.empty());
  EXPECT_FALSE(v2_card.preprocessing);
}

TEST(huggingface_config, every_field_arrives) {
  const FamilyConfig config =
      *card(
           v2(R"("depth_multiplier":0.35,"min_depth":16,"depth_divisible_by":4,"expand_ratio":3,"tf_padding":false,)"
              R"("hidden_act":"relu","layer_norm_eps":0.01,"finegrained_output":false,"first_layer_is_expansion":false,)"
              R"("image_size":96,"id2label":{"1":"b","0":"a","2":"c"})"))
           ->hints.config;
  EXPECT_EQ(config.width, 0.35);
  EXPECT_EQ(config.min_depth, 16);
  EXPECT_EQ(config.divisor, 4);
  EXPECT_EQ(config.expand_ratio, 3.0);
  EXPECT_FALSE(config.tf_padding);
  EXPECT_EQ(config.activation, Activation::kRelu);
  EXPECT_EQ(config.batch_norm_epsilon, 0.01f);
  EXPECT_EQ(config.last_channels, LastChannels::kScaled);
  EXPECT_FALSE(config.first_layer_is_expansion);
  EXPECT_EQ(config.resolution, 96);
  EXPECT_EQ(config.classes, 3);
}

TEST(huggingface_config, labels_are_ordered_by_their_number) {
  const auto labels =
      card(v2(R"("id2label":{"1":"b","10":"k","0":"a","2":"c","3":"d","4":"e","5":"f","6":"g","7":"h",)"
              R"("8":"i","9":"j"})"))
          ->labels;
  EXPECT_EQ(labels, (std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}));
  EXPECT_THAT(complaint(v2(R"("id2label":{"0":"a","2":"c"})")),
              HasSubstr("has the key \"2\", but 2 labels are numbered 0 to 1"));
  EXPECT_THAT(complaint(v2(R"("id2label":{"0":"a","00":"c"})")), HasSubstr("has the key \"00\""));
  EXPECT_THAT(complaint(v2(R"("id2label":{"0":"a","x":"c"})")), HasSubstr("has the key \"x\""));
  EXPECT_THAT(complaint(v2(R"("id2label":{"0":7})")), HasSubstr("label 0 is 7, expected a string"));
}

TEST(huggingface_config, what_linnet_cannot_run_is_refused_with_the_key) {
  EXPECT_THAT(complaint(v2(R"("output_stride":16)")),
              HasSubstr("config.json: \"output_stride\" is 16: that network has dilated"));
  EXPECT_THAT(complaint(v2(R"("hidden_act":"gelu")")), HasSubstr("\"hidden_act\" is \"gelu\""));
  EXPECT_THAT(complaint(v2(R"("num_channels":1)")), HasSubstr("\"num_channels\" is 1"));
  EXPECT_THAT(complaint(v2(R"("min_depth":-3)")),
              HasSubstr("\"min_depth\" is -3, expected an integer in [1, 1024]"));
  EXPECT_THAT(complaint(v2(R"("tf_padding":1)")), HasSubstr("\"tf_padding\" is 1, expected true or false"));
  EXPECT_THAT(complaint(v2(R"("depth_multiplier":"1.0")")),
              HasSubstr("\"depth_multiplier\" is \"1.0\", expected a number"));
  EXPECT_THAT(complaint(v2(R"("architectures":["MobileNetV2ForSemanticSegmentation"])")),
              HasSubstr("ForSemanticSegmentation"));
  EXPECT_THAT(complaint(R"({"model_type":"vit"})"), HasSubstr("describes the model_type \"vit\""));
  EXPECT_THAT(complaint("{}"), HasSubstr("describes no model that it names"));
  EXPECT_THAT(complaint("[]"), HasSubstr("holds [], expected an object"));
  EXPECT_THAT(complaint("{"), HasSubstr("not legal JSON"));
}

Preprocessing preprocessing(const std::string& text) {
  const auto read = card(kV1, text);
  EXPECT_TRUE(read) << read.error().message;
  return read ? read->preprocessing.value() : Preprocessing{};
}

TEST(huggingface_config, preprocessing_in_every_spelling) {
  EXPECT_EQ(preprocessing("{}"), huggingface_preprocessing(224));
  EXPECT_EQ(preprocessing(R"({"size":256,"crop_size":224})"), huggingface_preprocessing(224));
  EXPECT_EQ(preprocessing(R"({"size":{"shortest_edge":256},"crop_size":{"height":224,"width":224}})"),
            huggingface_preprocessing(224));
  EXPECT_EQ(preprocessing(R"({"resample":3})").filter, Filter::kBicubic);
  EXPECT_EQ(preprocessing(R"({"resample":0})").filter, Filter::kNearest);
  EXPECT_EQ(preprocessing(R"({"rescale_factor":0.5})").rescale, 0.5);
  EXPECT_EQ(preprocessing(R"({"do_rescale":false})").rescale, 1.0);
  EXPECT_EQ(preprocessing(R"({"do_normalize":false})").mean, (std::array{0.0f, 0.0f, 0.0f}));
  EXPECT_EQ(preprocessing(R"({"image_std":[1,2,0.25]})").deviation, (std::array{1.0f, 2.0f, 0.25f}));
  const Preprocessing squeezed =
      preprocessing(R"({"size":{"height":192,"width":192},"do_center_crop":false})");
  EXPECT_TRUE(squeezed.resize_to_input);
  EXPECT_FALSE(squeezed.shortest_edge);
  EXPECT_FALSE(preprocessing(R"({"do_resize":false})").shortest_edge);
}

TEST(huggingface_config, the_crop_is_the_networks_input) {
  EXPECT_EQ(card(kV1, R"({"size":182,"crop_size":160})")->hints.config->resolution, 160);
  EXPECT_EQ(
      card(kV1, R"({"size":{"height":128,"width":128},"do_center_crop":false})")->hints.config->resolution,
      128);
}

TEST(huggingface_config, preprocessing_that_linnet_cannot_do_is_refused) {
  EXPECT_THAT(complaint(kV1, R"({"resample":1})"), HasSubstr("preprocessor_config.json: \"resample\" is 1"));
  EXPECT_THAT(complaint(kV1, R"({"crop_size":{"height":224,"width":192}})"),
              HasSubstr("\"crop_size\" is not square"));
  EXPECT_THAT(complaint(kV1, R"({"do_center_crop":false})"), HasSubstr("set do_center_crop"));
  EXPECT_THAT(complaint(kV1, R"({"size":{"height":256,"width":256}})"),
              HasSubstr("256x256 that is not the square input"));
  EXPECT_THAT(complaint(kV1, R"({"size":{"longest_edge":256}})"),
              HasSubstr("expected a number, height and width"));
  EXPECT_THAT(complaint(kV1, R"({"image_mean":[0.5]})"),
              HasSubstr("\"image_mean\" is [0.5], expected three numbers"));
  EXPECT_THAT(complaint(kV1, R"({"image_std":[1,0,1]})"), HasSubstr("\"image_std\" holds a zero"));
}

TEST(huggingface_config, timms_config_holds_the_preprocessing_itself) {
  const ModelCard read =
      card(
          R"({"architecture":"tf_mobilenetv3_large_100","num_classes":2,"label_names":["n01440764","x"],)"
          R"("label_descriptions":{"n01440764":"tench"},"pretrained_cfg":{"input_size":[3,256,256],"crop_pct":0.95,)"
          R"("interpolation":"bilinear","mean":[0.5,0.5,0.5],"std":[0.25,0.5,0.5],"crop_mode":"center"}})")
          .value();
  EXPECT_TRUE(read.hints.tensorflow);
  EXPECT_EQ(read.hints.resolution, 256);
  EXPECT_EQ(read.labels, (std::vector<std::string>{"tench", "x"}));
  Preprocessing expected = timm_preprocessing(256);
  expected.shortest_edge = 269;  // floor(256 / 0.95)
  expected.filter = Filter::kBilinear;
  expected.mean = {0.5f, 0.5f, 0.5f};
  expected.deviation = {0.25f, 0.5f, 0.5f};
  EXPECT_EQ(read.preprocessing, expected);
  EXPECT_FALSE(card(R"({"architecture":"mobilenetv2_100"})")->hints.tensorflow);
  EXPECT_THAT(complaint(R"({"architecture":"resnet50"})"),
              HasSubstr("describes the architecture \"resnet50\""));
  EXPECT_THAT(complaint(R"({"architecture":"mobilenetv2_100","crop_mode":"squash"})"),
              HasSubstr("\"crop_mode\" is \"squash\""));
  EXPECT_THAT(complaint(R"({"architecture":"mobilenetv2_100","input_size":[3,224,192]})"),
              HasSubstr("expected [3, N, N]"));
}

// ---- whole folders

/// The corpus's MobileNetV1 of eight channels and five classes, in a folder.
void put_weights(const std::filesystem::path& folder, const char* name) {
  std::filesystem::copy_file(linnet::testing::repository_data("corpus/fuzz_safetensors/huggingface_v1"),
                             folder / name);
}
const std::string kNarrow = R"({"model_type":"mobilenet_v1","depth_multiplier":0.001,"image_size":32)";

TEST(huggingface_folder, is_read_from_the_folder_and_from_the_file_in_it) {
  const ScratchFolder folder;
  put_weights(folder.path(), "model.safetensors");
  ASSERT_TRUE(write_file(folder.path() / "config.json",
                         kNarrow + R"(,"id2label":{"0":"a","1":"b","2":"c","3":"d","4":"e"}})"));
  const auto graph = read_huggingface(folder.path());
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->input_shape(), (Shape{32, 32, 3}));
  EXPECT_EQ(graph->labels.back(), "e");
  EXPECT_EQ(read_safetensors(folder.path() / "model.safetensors").value(), *graph);
}

TEST(huggingface_folder, without_labels_the_classifier_says_the_number_of_classes) {
  const ScratchFolder folder;
  put_weights(folder.path(), "model.safetensors");
  ASSERT_TRUE(write_file(folder.path() / "config.json", kNarrow + "}"));
  EXPECT_EQ(read_huggingface(folder.path())->output_shape().c, 5);
}

TEST(huggingface_folder, a_wrong_number_of_labels_is_refused) {
  const ScratchFolder folder;
  put_weights(folder.path(), "model.safetensors");
  ASSERT_TRUE(write_file(folder.path() / "config.json", kNarrow + R"(,"id2label":{"0":"a","1":"b"}})"));
  EXPECT_THAT(read_huggingface(folder.path()).error().message,
              HasSubstr("the tensor \"classifier.weight\" is F32 [5, 8], expected [2, 8]"));
}

TEST(huggingface_folder, weights_that_the_config_does_not_describe_are_refused_by_tensor) {
  const ScratchFolder folder;
  put_weights(folder.path(), "model.safetensors");
  ASSERT_TRUE(write_file(folder.path() / "config.json", R"({"model_type":"mobilenet_v1"})"));
  EXPECT_THAT(read_huggingface(folder.path()).error().message,
              HasSubstr("the tensor \"mobilenet_v1.conv_stem.convolution.weight\" is F16 [8, 3, 3, 3], "
                        "expected [32, 3, 3, 3]"));
  ASSERT_TRUE(write_file(folder.path() / "config.json", kV2));
  EXPECT_THAT(read_huggingface(folder.path()).error().message,
              HasSubstr("its tensors are those of mobilenet_v1, but its configuration says mobilenet_v2"));
}

TEST(huggingface_folder, what_is_missing_or_sharded_is_said) {
  const ScratchFolder folder;
  EXPECT_THAT(read_huggingface(folder.path()).error().message, HasSubstr("there is no config.json"));
  ASSERT_TRUE(write_file(folder.path() / "config.json", kV1));
  EXPECT_THAT(read_huggingface(folder.path()).error().message,
              HasSubstr("neither model.safetensors nor pytorch_model.bin"));
  ASSERT_TRUE(write_file(folder.path() / "model.safetensors.index.json", "{}"));
  EXPECT_THAT(read_huggingface(folder.path()).error().message, HasSubstr("sharded"));
}

TEST(huggingface_folder, a_pickle_is_read_by_whoever_links_its_reader) {
  const ScratchFolder folder;
  ASSERT_TRUE(write_file(folder.path() / "config.json", kNarrow + "}"));
  ASSERT_TRUE(write_file(folder.path() / "pytorch_model.bin", "a pickle"));
  EXPECT_THAT(read_huggingface(folder.path()).error().message, HasSubstr("which this program does not link"));
  const PickleReader reader = [](const std::filesystem::path& path) -> Result<TensorMap> {
    return fail("{} was read", path.filename().string());
  };
  EXPECT_EQ(read_huggingface(folder.path(), reader).error().message, "pytorch_model.bin was read");
}

}  // namespace
}  // namespace linnet::formats
