// Labels, preprocessing and dialect as text: what is written is what is read, and nothing else is.
#include "formats/metadata/metadata.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::formats {
namespace {

using ::testing::HasSubstr;

Graph labelled(std::vector<std::string> labels, std::optional<Preprocessing> preprocessing) {
  Graph graph;
  graph.name = "net";
  graph.labels = std::move(labels);
  graph.preprocessing = preprocessing;
  return graph;
}

TEST(metadata, labels_survive_a_round_trip) {
  const std::vector<std::string> labels = {"tench, Tinca tinca", "Kätzchen \"猫\"\n", ""};
  const auto entries = metadata_entries(labelled(labels, {})).value();
  EXPECT_EQ(entries.size(), 1u);
  EXPECT_EQ(labels_from_json(entries.at("linnet.labels")).value(), labels);
}

TEST(metadata, every_preprocessing_survives_a_round_trip) {
  for (const Preprocessing& base : {torchvision_preprocessing(33), timm_preprocessing(33),
                                    tensorflow_preprocessing(), huggingface_preprocessing(33)})
    for (const Filter filter : {Filter::kNearest, Filter::kBilinear, Filter::kBicubic})
      for (const CropRounding rounding : {CropRounding::kDown, CropRounding::kToEven}) {
        Preprocessing p = base;
        p.filter = filter;
        p.crop_rounding = rounding;
        p.rescale = 1.0 / 127.5;
        p.mean = {0.1f, -2.0f, 1e-30f};
        const auto entries = metadata_entries(labelled({}, p)).value();
        EXPECT_EQ(preprocessing_from_json(entries.at("linnet.preprocessing")).value(), p)
            << entries.at("linnet.preprocessing");
      }
}

TEST(metadata, the_spelling_is_the_one_that_files_already_have) {
  const auto entries = metadata_entries(labelled({"a"}, tensorflow_preprocessing())).value();
  EXPECT_EQ(entries.at("linnet.labels"), R"(["a"])");
  EXPECT_EQ(
      entries.at("linnet.preprocessing"),
      R"({"central_fraction":0.875,"resize_to_input":true,"filter":"bilinear","resampler":"tensorflow",)"
      R"("crop_rounding":"down","rescale":0.00392156862745098,"mean":[0.5,0.5,0.5],"deviation":[0.5,0.5,0.5]})");
}

TEST(metadata, what_a_graph_does_not_have_is_not_written) {
  EXPECT_TRUE(metadata_entries(Graph{}).value().empty());
}

TEST(metadata, what_text_cannot_say_is_not_written) {
  EXPECT_THAT(metadata_entries(labelled({"a", "\xff"}, {})).error().message,
              HasSubstr("net: the label of class 1 is not UTF-8"));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Preprocessing p;
  p.mean[1] = kInfinity;
  EXPECT_THAT(metadata_entries(labelled({}, p)).error().message, HasSubstr("not finite"));
  p = {};
  p.deviation[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(metadata_entries(labelled({}, p)).error().message, HasSubstr("not finite"));
  p = {};
  p.rescale = kInfinity;
  EXPECT_THAT(metadata_entries(labelled({}, p)).error().message, HasSubstr("not finite"));
}

TEST(metadata, labels_that_are_no_strings_are_refused) {
  EXPECT_THAT(labels_from_json(R"({"a":1})").error().message, HasSubstr("expected a list of strings"));
  EXPECT_THAT(labels_from_json(R"(["a",7])").error().message, HasSubstr("holds 7, expected strings"));
  EXPECT_THAT(labels_from_json(R"(["a",)").error().message, HasSubstr("not legal JSON"));
}

/// The complaint about tensorflow_preprocessing() after `from` became `to`.
std::string complaint(std::string_view from, std::string_view to) {
  const auto entries = metadata_entries(labelled({}, tensorflow_preprocessing())).value();
  std::string text = entries.at("linnet.preprocessing");
  const auto at = text.find(from);
  if (at == std::string::npos) return std::string(from) + " is not in " + text;
  const auto read = preprocessing_from_json(text.replace(at, from.size(), to));
  return read ? "no complaint" : read.error().message;
}

TEST(metadata, preprocessing_that_makes_no_sense_is_refused_by_its_key) {
  EXPECT_THAT(complaint(R"("bilinear")", R"("lanczos")"),
              HasSubstr("\"filter\" is \"lanczos\", expected one of nearest, bilinear, bicubic"));
  EXPECT_THAT(complaint(R"("tensorflow")", "3"), HasSubstr("\"resampler\" is 3, expected a string"));
  EXPECT_THAT(complaint(R"("down")", R"("up")"), HasSubstr("expected one of down, to_even"));
  EXPECT_THAT(complaint(R"([0.5,0.5,0.5],"dev)", R"([0.5,0.5],"dev)"), HasSubstr("\"mean\" is [0.5,0.5]"));
  EXPECT_THAT(complaint(R"([0.5,0.5,0.5],"dev)", R"([0.5,0.5,1e300],"dev)"), HasSubstr("\"mean\": value 2"));
  EXPECT_THAT(complaint(R"("deviation":[0.5,)", R"("deviation":[0.0,)"), HasSubstr("a zero"));
  EXPECT_THAT(complaint(R"("deviation")", R"("derivation")"), HasSubstr("\"deviation\" is missing"));
  EXPECT_THAT(complaint(R"("rescale")", R"("descale")"), HasSubstr("\"rescale\" is missing"));
  EXPECT_THAT(complaint(R"("central_fraction":0.875)", R"("central_fraction":1.5)"), HasSubstr("(0, 1]"));
  EXPECT_THAT(complaint(R"({"central)", R"({"shortest_edge":9,"central)"), HasSubstr("exclude each other"));
  EXPECT_THAT(complaint(R"("resize_to_input":true)", R"("shortest_edge":0)"), HasSubstr("[1, 65536]"));
  EXPECT_THAT(preprocessing_from_json("[]").error().message, HasSubstr("expected an object"));
}

TEST(metadata, a_dialect_is_found_by_the_name_that_it_prints) {
  for (const Dialect dialect : {Dialect::kUnknown, Dialect::kHuggingFace, Dialect::kTorchvision,
                                Dialect::kTimm, Dialect::kTensorflow})
    EXPECT_EQ(dialect_named(to_string(dialect)).value(), dialect);
  EXPECT_THAT(dialect_named("klingon").error().message,
              "is \"klingon\", expected one of unknown, huggingface, torchvision, timm, tensorflow");
}

}  // namespace
}  // namespace linnet::formats
