// Pillow's bytes for noise of many sizes, as make.py stored them, and TensorFlow's values by the slow
// formula.
#include "image/resize.h"

#include <cmath>
#include <sstream>

#include <gtest/gtest.h>

#include "image/testing.h"

namespace linnet::image {
namespace {

Filter filter_named(const std::string& name) {
  return name == "nearest" ? Filter::kNearest : name == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
}

std::uint32_t crc32_of(const Image& image) { return crc32(std::as_bytes(std::span(image.pixels))); }

TEST(resize, gives_pillows_bytes_up_down_odd_narrow_and_of_one_pixel) {
  const auto table = read_table("resize.tsv");
  ASSERT_GT(table.size(), 100u);
  for (const auto& row : table) {
    const Image image = noise(std::stoi(row[0]), std::stoi(row[1]), row[2] == "hard");
    const Image resized = resize(image, std::stoi(row[3]), std::stoi(row[4]), filter_named(row[5]));
    EXPECT_EQ(std::to_string(crc32_of(resized)), row[6])
        << row[2] << " of " << row[0] << " x " << row[1] << " to " << row[3] << " x " << row[4] << ", "
        << row[5];
  }
}

TEST(resize, a_window_holds_the_pixels_of_the_whole) {
  const Image image = noise(61, 47);
  const Image luma = to_luma(image);
  for (const Filter filter : {Filter::kNearest, Filter::kBilinear, Filter::kBicubic})
    for (const Image* source : {&image, &luma})
      for (const auto& [height, width] : {std::pair{30, 31}, {61, 30}, {30, 47}, {61, 47}, {100, 90}}) {
        const Image whole = resize(*source, height, width, filter);
        const Window window{3, 5, 20, 17};
        const Image part = resize(*source, Size{height, width}, window, filter);
        ASSERT_EQ(part.height, 20);
        ASSERT_EQ(part.width, 17);
        for (int y = 0; y < 20; ++y)
          for (std::size_t i = 0; i < part.stride(); ++i)
            ASSERT_EQ(part.row(y)[i], whole.row(y + 3)[5 * source->channels + i])
                << height << " x " << width << " row " << y << " value " << i;
      }
}

TEST(resize, a_very_tall_picture_takes_no_more_memory_than_its_window) {
  Image tall{.height = 200'000, .width = 1, .pixels = {}};
  tall.pixels.assign(600'000, 77);
  const Image small = resize(tall, 224, 224, Filter::kBicubic);
  for (const auto value : small.pixels) ASSERT_EQ(value, 77);
}

/// The formula, term by term: the sum over every pixel of the picture, its edge repeated without end or,
/// bicubic, cut off.
double tensorflow_value(const Image& image, int height, int width, int y, int x, int channel, Filter filter) {
  const double py = (y + 0.5) * image.height / height - 0.5, px = (x + 0.5) * image.width / width - 0.5;
  if (filter == Filter::kNearest)
    return image.row(int(std::floor(py + 0.5)))[int(std::floor(px + 0.5)) * image.channels + channel];
  const auto kernel = [&](double d) {
    d = std::abs(d);
    if (filter == Filter::kBilinear) return d < 1 ? 1 - d : 0.0;
    const double a = -0.5;
    return d < 1   ? (a + 2) * d * d * d - (a + 3) * d * d + 1
           : d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a
                   : 0.0;
  };
  double sum = 0, weights = 0;
  for (int i = -3; i < image.height + 3; ++i)
    for (int j = -3; j < image.width + 3; ++j) {
      const bool outside = i < 0 || j < 0 || i >= image.height || j >= image.width;
      if (outside && filter == Filter::kBicubic) continue;
      const double weight = kernel(i - py) * kernel(j - px);
      const int row = std::clamp(i, 0, image.height - 1), column = std::clamp(j, 0, image.width - 1);
      sum += weight * image.row(row)[column * image.channels + channel];
      weights += weight;
    }
  return sum / weights;
}

TEST(resize, tensorflow_values_are_those_of_the_formula) {
  // Two roundings of a product and a sum an axis, of values up to 255 with weights up to 1.3 in magnitude:
  // well below.
  constexpr double kTolerance = 255 * 16 * 0x1p-24;
  for (const auto& [in_height, in_width] : {std::pair{7, 5}, {1, 1}, {12, 3}, {20, 31}})
    for (const auto& [height, width] : {std::pair{7, 5}, {3, 4}, {1, 1}, {19, 23}, {8, 2}})
      for (const Filter filter : {Filter::kNearest, Filter::kBilinear, Filter::kBicubic}) {
        const Image image = noise(in_height, in_width, true);
        const std::vector<float> values =
            resize_tensorflow(image, Size{height, width}, Window{0, 0, height, width}, filter);
        ASSERT_EQ(values.size(), std::size_t(height) * width * 3);
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x)
            for (int c = 0; c < 3; ++c)
              ASSERT_NEAR(values[(y * width + x) * 3 + c],
                          tensorflow_value(image, height, width, y, x, c, filter), kTolerance)
                  << in_height << " x " << in_width << " to " << height << " x " << width << " at " << y
                  << ", " << x;
      }
}

TEST(resize, tensorflow_bilinear_is_pytorchs_without_antialias) {
  for (const auto& row : read_table("tensorflow.tsv")) {
    const int height = std::stoi(row[2]), width = std::stoi(row[3]);
    const std::vector<float> values =
        resize_tensorflow(noise(std::stoi(row[0]), std::stoi(row[1])), Size{height, width},
                          Window{0, 0, height, width}, Filter::kBilinear);
    std::istringstream expected(row[4]);
    for (const float value : values) {
      double e;
      ASSERT_TRUE(expected >> e);
      ASSERT_NEAR(value, e, 1e-4) << row[0] << " x " << row[1] << " to " << row[2] << " x " << row[3];
    }
  }
}

TEST(resize, a_tensorflow_window_holds_the_values_of_the_whole) {
  const Image image = noise(15, 21);
  const auto whole = resize_tensorflow(image, Size{30, 12}, Window{0, 0, 30, 12}, Filter::kBicubic);
  const auto part = resize_tensorflow(image, Size{30, 12}, Window{4, 2, 9, 7}, Filter::kBicubic);
  for (int y = 0; y < 9; ++y)
    for (int i = 0; i < 7 * 3; ++i) ASSERT_EQ(part[y * 7 * 3 + i], whole[((y + 4) * 12 + 2) * 3 + i]);
}

}  // namespace
}  // namespace linnet::image
