#include "image/orientation.h"

#include <algorithm>
#include <utility>

namespace linnet::image {
namespace {

void mirror_rows(Image& image) {
  for (int y = 0; y < image.height / 2; ++y)
    std::swap_ranges(image.row(y), image.row(y) + image.stride(), image.row(image.height - 1 - y));
}

void mirror_columns(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* left = image.row(y);
    std::uint8_t* right = left + image.stride() - image.channels;
    for (; left < right; left += image.channels, right -= image.channels)
      std::swap_ranges(left, left + image.channels, right);
  }
}

Image transposed(const Image& image) {
  Image turned{.height = image.width, .width = image.height, .pixels = {}, .channels = image.channels};
  turned.pixels.resize(image.pixels.size());
  constexpr int kTile = 32;  // so that both pictures' rows stay in the cache
  for (int y0 = 0; y0 < image.height; y0 += kTile)
    for (int x0 = 0; x0 < image.width; x0 += kTile)
      for (int x = x0; x < std::min(x0 + kTile, image.width); ++x)
        for (int y = y0; y < std::min(y0 + kTile, image.height); ++y)
          std::copy_n(image.row(y) + std::size_t(x) * image.channels, image.channels,
                      turned.row(x) + std::size_t(y) * image.channels);
  return turned;
}

}  // namespace

Image upright(Image image, int orientation) {
  const bool transposes = orientation >= 5;
  if (transposes) image = transposed(image);
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) mirror_rows(image);
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) mirror_columns(image);
  return image;
}

}  // namespace linnet::image
