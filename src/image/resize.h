// Resizing, in the two arithmetics that models are trained with.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/preprocessing.h"
#include "image/image.h"

namespace linnet::image {

/// A part of a picture: rows y … y + height - 1, columns x … x + width - 1.
struct Window {
  std::int64_t y = 0;
  std::int64_t x = 0;
  int height = 0;
  int width = 0;
};

/// A picture's size where it need not fit into memory.
struct Size {
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// The `window` of the picture resized to `size`, byte for byte what Pillow's Image.resize(size,
/// filter).crop(window) gives on the same RGB or L pixels: coefficients in double and then as integers of 22
/// fractional bits, a horizontal pass rounded to 8 bits, a vertical pass rounded to 8 bits; the filter is
/// widened when it shrinks; nearest is the pixel at (i + 0.5) * scale. Only what the window needs is
/// computed. Needs: a picture with pixels; size at least 1 x 1 and at most 2^24; the window inside of it.
Image resize(const Image& image, Size size, const Window& window, Filter filter);

/// The whole picture resized.
Image resize(const Image& image, int height, int width, Filter filter);

/// The `window` of the picture resized as tf.image.resize does without antialias: half-pixel centres, the
/// filter never widened, nothing rounded (bicubic: Keys' a = -0.5, taps outside of the picture dropped and
/// the rest renormalised). window.height * window.width * channels values of 0 … 255, which bicubic may leave
/// a little.
std::vector<float> resize_tensorflow(const Image& image, Size size, const Window& window, Filter filter);

}  // namespace linnet::image
