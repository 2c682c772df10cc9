// What comparisons with other engines share: raw float32 files, orders of axes, and how close is close.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/graph.h"

namespace linnet::oracles {

using Values = std::vector<float>;
using linnet::testing::scores_of;

inline void write_values(const std::filesystem::path& path, const Values& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

inline Values read_values(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  Values values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// Images of this shape from HWC to CHW (ONNX's and PyTorch's order).
inline Values to_chw(const Values& images, const Shape& shape) {
  Values result(images.size());
  const auto pixels = static_cast<std::size_t>(shape.pixels());
  const auto channels = static_cast<std::size_t>(shape.c);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::size_t image = i / (pixels * channels), pixel = i / channels % pixels, channel = i % channels;
    result[(image * channels + channel) * pixels + pixel] = images[i];
  }
  return result;
}

/// Images of this shape from CHW to HWC.
inline Values to_hwc(const Values& images, const Shape& shape) {
  return to_chw(images, {shape.c, 1, static_cast<int>(shape.pixels())});
}

/// The two differ by at most `tolerance` of the largest score; prints by how much.
inline void expect_close(const Values& ours, const Values& theirs, double tolerance) {
  ASSERT_EQ(ours.size(), theirs.size());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_TRUE(std::isfinite(ours[i]) && std::isfinite(theirs[i]));
    largest = std::max(largest, std::abs(double{theirs[i]}));
    difference = std::max(difference, std::abs(double{ours[i]} - double{theirs[i]}));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(difference, tolerance * largest);
  fmt::print("largest difference: {:.2g} of the largest score\n", difference / largest);
}

}  // namespace linnet::oracles
