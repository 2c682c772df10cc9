// Pillow's Geometry.c describes the arithmetic.
#include "image/warp.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace linnet::image {
namespace {

constexpr int kFraction = 16;  ///< bits

int to_fixed(double v) { return static_cast<int>(std::floor(v * (1 << kFraction) + 0.5)); }

}  // namespace

Image warp(const Image& image, const Affine& m) {
  Image out{.height = image.height, .width = image.width, .pixels = {}, .channels = image.channels};
  out.pixels.resize(image.pixels.size());
  const int dx_x = to_fixed(m[0]), dx_y = to_fixed(m[1]), dy_x = to_fixed(m[3]), dy_y = to_fixed(m[4]);
  int x_of_row = to_fixed(m[2] + m[0] * 0.5 + m[1] * 0.5),
      y_of_row = to_fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  for (int y = 0; y < image.height; ++y, x_of_row += dx_y, y_of_row += dy_y) {
    std::uint8_t* p = out.row(y);
    int from_x = x_of_row, from_y = y_of_row;
    for (int x = 0; x < image.width; ++x, p += image.channels, from_x += dx_x, from_y += dy_x) {
      const int column = from_x >> kFraction, row = from_y >> kFraction;
      if (column < 0 || column >= image.width || row < 0 || row >= image.height) continue;
      std::copy_n(image.row(row) + std::ptrdiff_t(column) * image.channels, image.channels, p);
    }
  }
  return out;
}

Image rotate(const Image& image, double degrees) {
  const double angle = -degrees * std::numbers::pi / 180.0;
  const double c = std::cos(angle), s = std::sin(angle);
  const double x = image.width / 2.0, y = image.height / 2.0;
  return warp(image, {c, s, x - c * x - s * y, -s, c, y + s * x - c * y});
}

}  // namespace linnet::image
