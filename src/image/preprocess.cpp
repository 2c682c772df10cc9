#include "image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "image/resize.h"

namespace linnet::image {
namespace {

/// The longest edge that a resize may lead to, so that a hostile one overflows nothing.
constexpr std::int64_t kMaxResizedEdge = 1 << 24;

Result<void> check(const Image& image, const Preprocessing& p, Shape input, std::size_t floats) {
  if (image.channels != 3 || image.height < 1 || image.width < 1)
    return fail(
        "a picture of {} x {} pixels with {} channels is not the RGB picture that preprocessing starts from",
        image.width, image.height, image.channels);
  if (input.h < 1 || input.w < 1 || (input.c != 1 && input.c != 3))
    return fail("the model's input is {}; a picture can only become an input of 1 or 3 channels",
                to_string(input));
  if (static_cast<std::int64_t>(floats) != input.size())
    return fail("the model's input {} takes {} values, not {}", to_string(input), input.size(), floats);
  if (p.central_fraction && !(*p.central_fraction > 0.0 && *p.central_fraction <= 1.0))
    return fail("preprocessing: the central fraction {} is not above 0 and at most 1", *p.central_fraction);
  if (p.shortest_edge && (*p.shortest_edge < 1 || *p.shortest_edge > kMaxResizedEdge))
    return fail("preprocessing: a shortest edge of {} pixels makes no sense", *p.shortest_edge);
  if (p.shortest_edge && p.resize_to_input)
    return fail("preprocessing: it resizes both to a shortest edge and to the input's size; drop one");
  if (!std::isfinite(p.rescale))
    return fail("preprocessing: the rescale factor {} is not a number", p.rescale);
  for (int c = 0; c < input.c; ++c)
    if (!std::isfinite(p.mean[c]) || !std::isfinite(p.deviation[c]) || p.deviation[c] == 0.0f)
      return fail("preprocessing: mean {} and deviation {} of channel {} cannot be used", p.mean[c],
                  p.deviation[c], c);
  return {};
}

/// TensorFlow's central_crop: the margin is rounded down, on both sides alike.
Image central_part(const Image& image, double fraction) {
  const auto margin = [&](int size) { return static_cast<int>((size - size * fraction) / 2.0); };
  const int y = margin(image.height), x = margin(image.width);
  return resize(image, Size{image.height, image.width},
                Window{y, x, image.height - 2 * y, image.width - 2 * x}, Filter::kNearest);
}

/// Where the crop begins in an axis; negative where the picture is smaller.
std::int64_t crop_begin(std::int64_t size, int crop, CropRounding rounding) {
  const std::int64_t margin = size - crop;
  const std::int64_t down = margin >= 0 ? margin / 2 : -((1 - margin) / 2);
  if (rounding == CropRounding::kDown || margin % 2 == 0) return down;
  if (margin < 0) return down + 1;  // torchvision pads the smaller half first
  return down + down % 2;
}

/// The part of a crop that the picture covers, in one axis.
struct Overlap {
  std::int64_t from;  ///< in the picture
  int to;             ///< in the crop
  int length;
};

Overlap overlap(std::int64_t size, int crop, CropRounding rounding) {
  const std::int64_t begin = crop_begin(size, crop, rounding);
  const std::int64_t from = std::max<std::int64_t>(begin, 0);
  return {from, static_cast<int>(from - begin), static_cast<int>(std::min(begin + crop, size) - from)};
}

/// (pixel * rescale - mean) / deviation, in the order and the types of Hugging Face.
float normalise(double pixel, const Preprocessing& p, int channel) {
  return (static_cast<float>(pixel * p.rescale) - p.mean[channel]) / p.deviation[channel];
}

}  // namespace

PixelValues pixel_values(const Preprocessing& p) {
  PixelValues values;
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < 256; ++v) values[c][v] = normalise(v, p, c);
  return values;
}

Result<void> preprocess(const Image& image, const Preprocessing& p, Shape input, std::span<float> output) {
  LINNET_CHECK(check(image, p, input, output.size()));
  Image changed;
  const Image* picture = &image;
  if (p.central_fraction && *p.central_fraction < 1.0) {
    changed = central_part(*picture, *p.central_fraction);
    picture = &changed;
  }
  if (input.c == 1) {
    changed = to_luma(*picture);
    picture = &changed;
  }

  Size size{picture->height, picture->width};
  if (p.resize_to_input) size = {input.h, input.w};
  if (p.shortest_edge) {
    const std::int64_t shorter = std::min(size.height, size.width);
    size = {size.height * *p.shortest_edge / shorter, size.width * *p.shortest_edge / shorter};
  }
  if (std::max(size.height, size.width) > kMaxResizedEdge)
    return fail("a picture of {} x {} pixels would be resized to {} x {}; it is too narrow to be classified",
                image.width, image.height, size.width, size.height);
  const Overlap rows = overlap(size.height, input.h, p.crop_rounding);
  const Overlap columns = overlap(size.width, input.w, p.crop_rounding);
  const Window window{rows.from, columns.from, rows.length, columns.length};

  const auto each_row = [&](auto&& fill) {
    for (int y = 0; y < rows.length; ++y)
      fill(y, output.data() + (std::size_t(rows.to + y) * input.w + columns.to) * input.c);
  };
  if (rows.length < input.h || columns.length < input.w)
    for (std::size_t i = 0; i < output.size(); ++i)
      output[i] = normalise(0.0, p, static_cast<int>(i % input.c));

  if (p.resampler == Resampler::kTensorflow &&
      !(size.height == picture->height && size.width == picture->width)) {
    const std::vector<float> resized = resize_tensorflow(*picture, size, window, p.filter);
    each_row([&](int y, float* out) {
      const float* in = resized.data() + std::size_t(y) * columns.length * input.c;
      for (int i = 0; i < columns.length * input.c; ++i) out[i] = normalise(in[i], p, i % input.c);
    });
    return {};
  }
  const Image resized = resize(*picture, size, window, p.filter);
  const PixelValues value = pixel_values(p);
  each_row([&](int y, float* out) {
    const std::uint8_t* in = resized.row(y);
    for (int i = 0; i < columns.length; ++i)
      for (int c = 0; c < input.c; ++c) *out++ = value[c][*in++];
  });
  return {};
}

}  // namespace linnet::image
