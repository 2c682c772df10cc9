// Pillow's resampling (libImaging/Resample.c and Geometry.c describe the arithmetic), for a window of the
// result.
#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace linnet::image {
namespace {

constexpr int kPrecision =
    32 - 8 - 2;  ///< fractional bits of a coefficient: 8 for the pixel, 2 for overshoot
constexpr std::int32_t kHalf = 1 << (kPrecision - 1);

double bilinear(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

/// How outputs `first` … `first + n - 1` of one axis are made: output i is the sum over t < taps of
/// input[begin[i] + t] * weights[i * taps + t].
struct Coefficients {
  int taps = 0;
  std::vector<int> begin;
  std::vector<std::int32_t> weights;

  int outputs() const { return static_cast<int>(begin.size()); }
};

Coefficients make_coefficients(int in, std::int64_t out, std::int64_t first, int n, Filter filter) {
  const auto kernel = filter == Filter::kBicubic ? bicubic : bilinear;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widening = std::max(scale, 1.0);
  const double support = (filter == Filter::kBicubic ? 2.0 : 1.0) * widening;
  const double inverse = 1.0 / widening;

  Coefficients c;
  c.taps = std::min(static_cast<int>(std::ceil(support)) * 2 + 1, in);
  c.begin.resize(n);
  c.weights.resize(std::size_t(n) * c.taps);
  std::vector<double> weights(c.taps);
  for (int i = 0; i < n; ++i) {
    const double center = (static_cast<double>(first + i) + 0.5) * scale;
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    double sum = 0.0;
    for (int t = 0; t < end - begin; ++t) {
      weights[t] = kernel((t + begin - center + 0.5) * inverse);
      sum += weights[t];
    }
    // Weights that are zero fill up to `taps`, from the left where they would leave the picture on the right.
    const int shift = std::max(begin + c.taps - in, 0);
    c.begin[i] = begin - shift;
    for (int t = 0; t < end - begin; ++t) {
      const double w = (sum != 0.0 ? weights[t] / sum : weights[t]) * (1 << kPrecision);
      c.weights[std::size_t(i) * c.taps + shift + t] = static_cast<std::int32_t>(w < 0 ? w - 0.5 : w + 0.5);
    }
  }
  return c;
}

std::uint8_t clip8(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255));
}

template <int kChannels>
void resize_row(const std::uint8_t* in, std::uint8_t* out, const Coefficients& c) {
  const std::int32_t* weights = c.weights.data();
  for (int i = 0; i < c.outputs(); ++i, weights += c.taps, out += kChannels) {
    const std::uint8_t* p = in + std::size_t(c.begin[i]) * kChannels;
    std::int32_t sum[kChannels];
    for (auto& s : sum) s = kHalf;
    for (int t = 0; t < c.taps; ++t)
      for (int k = 0; k < kChannels; ++k) sum[k] += p[t * kChannels + k] * weights[t];
    for (int k = 0; k < kChannels; ++k) out[k] = clip8(sum[k]);
  }
}

/// Each row of the picture that the result needs is resized across, rounded, and added at once to all the
/// rows of the result that it has a part in: nothing but the result's own sums is kept, however tall the
/// picture.
Image resize_both(const Image& image, const Coefficients& rows, const Coefficients& columns) {
  Image out{.height = rows.outputs(), .width = columns.outputs(), .pixels = {}, .channels = image.channels};
  out.pixels.resize(out.stride() * out.height);
  std::vector<std::int32_t> sums(out.pixels.size(), kHalf);
  std::vector<std::uint8_t> across(out.stride());
  int open = 0;  // the first row of the result that is not complete
  for (int y = rows.begin.front(); y < rows.begin.back() + rows.taps; ++y) {
    if (image.channels == 3)
      resize_row<3>(image.row(y), across.data(), columns);
    else
      resize_row<1>(image.row(y), across.data(), columns);
    while (rows.begin[open] + rows.taps <= y) ++open;
    for (int i = open; i < rows.outputs() && rows.begin[i] <= y; ++i) {
      const std::int32_t weight = rows.weights[std::size_t(i) * rows.taps + (y - rows.begin[i])];
      std::int32_t* sum = sums.data() + i * out.stride();
      for (std::size_t x = 0; x < across.size(); ++x) sum[x] += across[x] * weight;
    }
  }
  std::transform(sums.begin(), sums.end(), out.pixels.begin(), clip8);
  return out;
}

Image cut(const Image& image, int y, int x, int height, int width) {
  Image out{.height = height, .width = width, .pixels = {}, .channels = image.channels};
  out.pixels.resize(out.stride() * height);
  for (int i = 0; i < height; ++i)
    std::copy_n(image.row(y + i) + std::size_t(x) * image.channels, out.stride(), out.row(i));
  return out;
}

/// Input indices for outputs `first` … `first + n - 1`; the position is summed up, as Pillow sums it.
std::vector<int> nearest_indices(int in, std::int64_t out, std::int64_t first, int n) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<int> indices(n);
  double position = scale * 0.5;
  for (std::int64_t i = 0; i < first + n; ++i, position += scale)
    if (i >= first) indices[i - first] = std::min(static_cast<int>(position), in - 1);
  return indices;
}

Image resize_nearest(const Image& image, Size size, const Window& window) {
  const std::vector<int> rows = nearest_indices(image.height, size.height, window.y, window.height);
  const std::vector<int> columns = nearest_indices(image.width, size.width, window.x, window.width);
  Image out{.height = window.height, .width = window.width, .pixels = {}, .channels = image.channels};
  out.pixels.resize(out.stride() * out.height);
  std::uint8_t* p = out.pixels.data();
  for (const int y : rows)
    for (const int x : columns)
      p = std::copy_n(image.row(y) + std::size_t(x) * image.channels, image.channels, p);
  return out;
}

}  // namespace

Image resize(const Image& image, Size size, const Window& window, Filter filter) {
  if (size.height == image.height && size.width == image.width)
    return cut(image, static_cast<int>(window.y), static_cast<int>(window.x), window.height, window.width);
  if (filter == Filter::kNearest) return resize_nearest(image, size, window);

  // Where a side stays as it is, its coefficients are exactly 1 and 0.
  return resize_both(image, make_coefficients(image.height, size.height, window.y, window.height, filter),
                     make_coefficients(image.width, size.width, window.x, window.width, filter));
}

Image resize(const Image& image, int height, int width, Filter filter) {
  return resize(image, Size{height, width}, Window{0, 0, height, width}, filter);
}

}  // namespace linnet::image
