// From a picture to a model's input: torchvision's and Hugging Face's floats, bit for bit, as make.py stored
// them.
#include "image/preprocess.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/resize.h"
#include "image/testing.h"

namespace linnet::image {
namespace {

std::vector<float> preprocessed(const Image& image, const Preprocessing& p, Shape input) {
  std::vector<float> values(input.size(), -1e30f);
  const auto result = preprocess(image, p, input, values);
  EXPECT_TRUE(result) << result.error().message;
  return values;
}

std::string refusal(const Image& image, const Preprocessing& p, Shape input) {
  std::vector<float> values(std::max<std::int64_t>(input.size(), 0));
  const auto result = preprocess(image, p, input, values);
  return result ? "accepted" : result.error().message;
}

TEST(preprocess, gives_the_floats_of_torchvision_and_of_hugging_face) {
  const auto table = read_table("preprocess.tsv");
  ASSERT_GT(table.size(), 100u);
  for (const auto& row : table) {
    const bool torchvision = row[0] == "torchvision";
    const int crop = std::stoi(row[5]);
    Preprocessing p;
    if (torchvision) {
      p = torchvision_preprocessing(crop);
    } else {
      p.mean = p.deviation = {0.5f, 0.5f, 0.5f};
    }
    p.shortest_edge.reset();
    if (row[3] != "0") p.shortest_edge = std::stoi(row[3]);
    p.filter = row[4] == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
    const auto values = preprocessed(noise(std::stoi(row[1]), std::stoi(row[2])), p, {crop, crop, 3});
    EXPECT_EQ(std::to_string(crc32(std::as_bytes(std::span(values)))), row[6])
        << row[0] << ": " << row[1] << " x " << row[2] << ", edge " << row[3] << ' ' << row[4] << ", crop "
        << crop;
  }
}

TEST(preprocess, a_pixel_divided_by_255_is_a_pixel_times_its_double_reciprocal) {
  for (int v = 0; v < 256; ++v)
    EXPECT_EQ(static_cast<float>(v) / 255.0f, static_cast<float>(v * Preprocessing{}.rescale)) << v;
}

TEST(preprocess, one_channel_is_luma_before_the_resize_with_the_first_mean_and_deviation) {
  const Image image = noise(40, 52);
  Preprocessing p;
  p.resize_to_input = true;
  p.mean = {0.25f, 9.0f, 9.0f};
  p.deviation = {0.5f, 0.0f, 0.0f};
  const auto values = preprocessed(image, p, {16, 20, 1});
  const Image expected = resize(to_luma(image), 16, 20, Filter::kBilinear);
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], (static_cast<float>(expected.pixels[i]) / 255.0f - 0.25f) / 0.5f);
}

TEST(preprocess, tensorflows_takes_the_central_part_and_rounds_nothing) {
  const Image image = noise(41, 66);
  const auto values = preprocessed(image, tensorflow_preprocessing(), {16, 16, 3});
  // central_crop: margins of int((41 - 35.875) / 2) = 2 and int((66 - 57.75) / 2) = 4.
  const Image part = resize(image, Size{41, 66}, Window{2, 4, 37, 58}, Filter::kNearest);
  const auto resized = resize_tensorflow(part, Size{16, 16}, Window{0, 0, 16, 16}, Filter::kBilinear);
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], (static_cast<float>(resized[i] * (1.0 / 255.0)) - 0.5f) / 0.5f);
  EXPECT_NE(values[0], std::round(values[0] * 127.5f) / 127.5f) << "no value lies between two grey levels";
}

TEST(preprocess, a_smaller_picture_is_framed_in_black) {
  Image white{.height = 1, .width = 2, .pixels = std::vector<std::uint8_t>(6, 255)};
  Preprocessing p;
  p.mean = {0.5f, 0.5f, 0.5f};
  p.crop_rounding = CropRounding::kDown;
  const auto columns = [&](CropRounding rounding, int width) {
    p.crop_rounding = rounding;
    const auto values = preprocessed(white, p, {1, width, 3});
    std::string text;
    for (int x = 0; x < width; ++x) text += values[x * 3] == 0.5f ? 'w' : values[x * 3] == -0.5f ? 'b' : '?';
    return text;
  };
  EXPECT_EQ(columns(CropRounding::kDown, 5), "bbwwb");    // Hugging Face pads the larger half first
  EXPECT_EQ(columns(CropRounding::kToEven, 5), "bwwbb");  // torchvision the smaller
  EXPECT_EQ(columns(CropRounding::kDown, 4), "bwwb");
  EXPECT_EQ(columns(CropRounding::kToEven, 2), "ww");
}

TEST(preprocess, an_odd_margin_is_rounded_as_each_library_does) {
  Image ramp{.height = 1, .width = 9, .pixels = {}};
  for (int x = 0; x < 9; ++x) ramp.pixels.insert(ramp.pixels.end(), 3, std::uint8_t(x));
  Preprocessing p;
  p.rescale = 1.0;
  const auto first = [&](CropRounding rounding, int width) {
    p.crop_rounding = rounding;
    return preprocessed(ramp, p, {1, width, 3})[0];
  };
  EXPECT_EQ(first(CropRounding::kDown, 8), 0);
  EXPECT_EQ(first(CropRounding::kToEven, 8), 0);  // 0.5 to 0
  EXPECT_EQ(first(CropRounding::kDown, 6), 1);
  EXPECT_EQ(first(CropRounding::kToEven, 6), 2);  // 1.5 to 2
  EXPECT_EQ(first(CropRounding::kToEven, 4), 2);  // 2.5 to 2
  EXPECT_EQ(first(CropRounding::kDown, 7), 1);
  EXPECT_EQ(first(CropRounding::kToEven, 7), 1);
}

TEST(preprocess, what_makes_no_sense_is_refused) {
  using ::testing::HasSubstr;
  const Image image = noise(8, 8);
  Preprocessing p;
  EXPECT_EQ(refusal(image, p, {8, 8, 4}),
            "the model's input is 8x8x4; a picture can only become an input of 1 or 3 channels");
  std::vector<float> few(5);
  EXPECT_EQ(preprocess(image, p, {8, 8, 3}, few).error().message,
            "the model's input 8x8x3 takes 192 values, not 5");
  EXPECT_THAT(refusal(Image{}, p, {8, 8, 3}), HasSubstr("0 x 0 pixels"));
  p.central_fraction = 1.5;
  EXPECT_EQ(refusal(image, p, {8, 8, 3}),
            "preprocessing: the central fraction 1.5 is not above 0 and at most 1");
  p = {};
  p.shortest_edge = 0;
  EXPECT_EQ(refusal(image, p, {8, 8, 3}), "preprocessing: a shortest edge of 0 pixels makes no sense");
  p.shortest_edge = 8;
  p.resize_to_input = true;
  EXPECT_THAT(refusal(image, p, {8, 8, 3}), HasSubstr("drop one"));
  p = {};
  p.deviation[1] = 0.0f;
  EXPECT_THAT(refusal(image, p, {8, 8, 3}), HasSubstr("deviation 0 of channel 1 cannot be used"));
  p = {};
  p.shortest_edge = 256;
  EXPECT_THAT(refusal(noise(1, 100'000), p, {8, 8, 3}), HasSubstr("too narrow"));
}

}  // namespace
}  // namespace linnet::image
