// tf.image.resize without antialias: every output mixes the same few inputs around (i + 0.5) * scale - 0.5,
// however much the picture shrinks.
#include <algorithm>
#include <array>
#include <cmath>

#include "image/resize.h"

namespace linnet::image {
namespace {

/// Four taps an output; unused ones weigh nothing.
struct Taps {
  std::array<int, 4> index;
  std::array<float, 4> weight;
};

/// Keys' cubic with a = -0.5 ("Cubic convolution interpolation for digital image processing", 1981, eq. 15).
double keys(double x) {
  x = std::abs(x);
  if (x < 1.0) return (1.5 * x - 2.5) * x * x + 1.0;
  if (x < 2.0) return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0;
  return 0.0;
}

/// For outputs `first` … `first + n - 1`.
std::vector<Taps> make_taps(int in, std::int64_t out, std::int64_t first, int n, Filter filter) {
  std::vector<Taps> all(n);
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  for (int i = 0; i < n; ++i) {
    Taps& taps = all[i];
    taps = {};
    const double center = (static_cast<double>(first + i) + 0.5) * scale;
    if (filter == Filter::kNearest) {
      taps.index[0] = std::min(static_cast<int>(center), in - 1);
      taps.weight[0] = 1.0f;
      continue;
    }
    const double position = center - 0.5;
    const double floor = std::floor(position);
    const double fraction = position - floor;
    const int base = static_cast<int>(floor);
    if (filter == Filter::kBilinear) {  // beyond the edge the edge is repeated
      taps.index = {std::clamp(base, 0, in - 1), std::clamp(base + 1, 0, in - 1), 0, 0};
      taps.weight = {static_cast<float>(1.0 - fraction), static_cast<float>(fraction), 0.0f, 0.0f};
      continue;
    }
    std::array<double, 4> weights = {};
    double sum = 0.0;
    for (int t = 0; t < 4; ++t) {
      const int at = base - 1 + t;
      taps.index[t] = std::clamp(at, 0, in - 1);
      if (at >= 0 && at < in) weights[t] = keys(fraction - (t - 1));
      sum += weights[t];
    }
    for (int t = 0; t < 4; ++t) taps.weight[t] = static_cast<float>(weights[t] / sum);
  }
  return all;
}

}  // namespace

std::vector<float> resize_tensorflow(const Image& image, Size size, const Window& window, Filter filter) {
  const std::vector<Taps> rows = make_taps(image.height, size.height, window.y, window.height, filter);
  const std::vector<Taps> columns = make_taps(image.width, size.width, window.x, window.width, filter);
  const int channels = image.channels;
  const int used = filter == Filter::kNearest ? 1 : filter == Filter::kBilinear ? 2 : 4;
  std::vector<float> out(std::size_t(window.height) * window.width * channels);
  float* p = out.data();
  for (const Taps& row : rows)
    for (const Taps& column : columns)
      for (int c = 0; c < channels; ++c) {
        float sum = 0.0f;
        for (int i = 0; i < used; ++i) {
          const std::uint8_t* in = image.row(row.index[i]) + c;
          float across = 0.0f;
          for (int j = 0; j < used; ++j)
            across += static_cast<float>(in[std::size_t(column.index[j]) * channels]) * column.weight[j];
          sum += across * row.weight[i];
        }
        *p++ = sum;
      }
  return out;
}

}  // namespace linnet::image
