// Colours changed as Pillow changes them: what ImageEnhance and ImageOps give for the same RGB pixels, byte
// for byte. Each takes a picture of 8-bit RGB and returns another of the same size.
#pragma once

#include "image/image.h"

namespace linnet::image {

/// Blends with black, with the picture's luma, with the grey of its mean luma, with its smoothed self: 0
/// gives that, 1 the picture, more than 1 goes beyond it. (ImageEnhance.Brightness, Color, Contrast,
/// Sharpness)
Image adjust_brightness(const Image& image, float factor);
Image adjust_color(const Image& image, float factor);
Image adjust_contrast(const Image& image, float factor);
Image adjust_sharpness(const Image& image, float factor);

/// Keeps the upper `bits` (0 … 8) of each value. (ImageOps.posterize)
Image posterize(const Image& image, int bits);
/// Inverts values from `threshold` on. (ImageOps.solarize)
Image solarize(const Image& image, double threshold);
/// Stretches each channel's values to 0 … 255. (ImageOps.autocontrast)
Image autocontrast(const Image& image);
/// Makes each channel's values about equally frequent. (ImageOps.equalize)
Image equalize(const Image& image);

}  // namespace linnet::image
