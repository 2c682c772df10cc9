// The arithmetic is that of Pillow's Blend.c, ImageEnhance.py and ImageOps.py.
#include "image/adjust.h"

#include <algorithm>
#include <array>

namespace linnet::image {
namespace {

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<std::int64_t, 256>;

std::uint8_t clip8(float value) {
  return value <= 0.0f ? 0 : value >= 255.0f ? 255 : static_cast<std::uint8_t>(value);
}

/// other + factor * (picture - other), a value at a time; `other` gives the value at an index.
template <class Other>
Image blend(const Image& image, float factor, Other&& other) {
  Image out = image;
  if (factor == 1.0f) return out;
  for (std::size_t i = 0; i < out.pixels.size(); ++i) {
    const int from = other(i), to = image.pixels[i];
    out.pixels[i] = clip8(static_cast<float>(from) + factor * static_cast<float>(to - from));
  }
  return out;
}

Image look_up(const Image& image, const Table& table) {
  Image out = image;
  for (auto& value : out.pixels) value = table[value];
  return out;
}

/// A table a channel, made from its histogram.
template <class Make>
Image look_up_by_histogram(const Image& image, Make&& make) {
  Image out = image;
  const auto channels = static_cast<std::size_t>(image.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    Histogram histogram{};
    for (std::size_t i = c; i < image.pixels.size(); i += channels) ++histogram[image.pixels[i]];
    const Table table = make(histogram);
    for (std::size_t i = c; i < out.pixels.size(); i += channels) out.pixels[i] = table[out.pixels[i]];
  }
  return out;
}

Table identity() {
  Table table;
  for (std::size_t v = 0; v < table.size(); ++v) table[v] = static_cast<std::uint8_t>(v);
  return table;
}

/// ImageFilter.SMOOTH: the mean of 3 x 3 pixels, the middle one counting five times; the border stays.
Image smooth(const Image& image) {
  Image out = image;
  const auto step = static_cast<std::ptrdiff_t>(image.channels);
  const auto stride = static_cast<std::ptrdiff_t>(image.stride());
  for (int y = 1; y + 1 < image.height; ++y)
    for (std::ptrdiff_t x = step; x + step < stride; ++x) {
      const std::uint8_t* p = image.row(y) + x;
      int sum = 4 * p[0];
      for (const std::ptrdiff_t row : {-stride, std::ptrdiff_t{0}, stride})
        sum += p[row - step] + p[row] + p[row + step];
      out.row(y)[x] = static_cast<std::uint8_t>((2 * sum + 13) / 26);  // 13 is odd: there are no ties
    }
  return out;
}

}  // namespace

Image adjust_brightness(const Image& image, float factor) {
  return blend(image, factor, [](std::size_t) { return 0; });
}

Image adjust_color(const Image& image, float factor) {
  const Image luma = to_luma(image);
  return blend(image, factor, [&](std::size_t i) { return luma.pixels[i / 3]; });
}

Image adjust_contrast(const Image& image, float factor) {
  const Image luma = to_luma(image);
  std::int64_t sum = 0;
  for (const std::uint8_t value : luma.pixels) sum += value;
  const int mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(luma.pixels.size()) + 0.5);
  return blend(image, factor, [mean](std::size_t) { return mean; });
}

Image adjust_sharpness(const Image& image, float factor) {
  const Image smoothed = smooth(image);
  return blend(image, factor, [&](std::size_t i) { return smoothed.pixels[i]; });
}

Image posterize(const Image& image, int bits) {
  Table table = identity();
  for (auto& value : table) value = static_cast<std::uint8_t>(value & (0xff00 >> bits));
  return look_up(image, table);
}

Image solarize(const Image& image, double threshold) {
  Table table = identity();
  for (auto& value : table)
    if (!(value < threshold)) value = static_cast<std::uint8_t>(255 - value);
  return look_up(image, table);
}

Image autocontrast(const Image& image) {
  return look_up_by_histogram(image, [](const Histogram& histogram) {
    const auto is_there = [](std::int64_t n) { return n > 0; };
    const auto low = std::ranges::find_if(histogram, is_there) - histogram.begin();
    const auto high =
        255 - (std::find_if(histogram.rbegin(), histogram.rend(), is_there) - histogram.rbegin());
    Table table = identity();
    if (high <= low) return table;
    const double scale = 255.0 / static_cast<double>(high - low);
    const double offset = static_cast<double>(-low) * scale;
    for (auto& value : table)
      value = static_cast<std::uint8_t>(std::clamp(static_cast<int>(value * scale + offset), 0, 255));
    return table;
  });
}

Image equalize(const Image& image) {
  return look_up_by_histogram(image, [](const Histogram& histogram) {
    Table table = identity();
    std::int64_t pixels = 0, last = 0;
    for (const std::int64_t n : histogram) {
      pixels += n;
      if (n > 0) last = n;
    }
    const std::int64_t step = (pixels - last) / 255;
    if (step == 0) return table;  // also where there is one value only
    std::int64_t n = step / 2;
    for (std::size_t v = 0; v < table.size(); ++v) {
      table[v] = static_cast<std::uint8_t>(std::min<std::int64_t>(n / step, 255));
      n += histogram[v];
    }
    return table;
  });
}

}  // namespace linnet::image
