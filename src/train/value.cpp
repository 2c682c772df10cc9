#include "train/value.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "train/quantizer.h"

namespace linnet::train {

using cpu::Bf16;
using cpu::Finish;

Value::Value(const Machine& machine, Shape value_shape, Finish value_finish, bool is_half)
    : shape(value_shape), half(is_half), finish(value_finish), machine_(machine) {
  const auto c = static_cast<std::size_t>(shape.c);
  sums_.resize(static_cast<std::size_t>(machine.threads));
  for (Sums& s : sums_) {
    for (auto* v : {&s.shift, &s.block_first, &s.block_second}) v->resize(c);
    s.first.resize(c);
    s.second.resize(c);
  }
}

void Value::Sums::add_block(std::int64_t count, Range of) {
  channels = of;
  pixels += count;
  for (auto i = static_cast<std::size_t>(of.begin); i < static_cast<std::size_t>(of.end); ++i) {
    first[i] += double{block_first[i]};
    second[i] += double{block_second[i]};
  }
}

std::int64_t Value::Sums::pixels_of(std::size_t channel) const {
  const auto c = static_cast<std::int64_t>(channel);
  return channels.begin <= c && c < channels.end ? pixels : 0;
}

void Value::Sums::clear() {
  pixels = 0;
  std::ranges::fill(first, 0.0);
  std::ranges::fill(second, 0.0);
}

float* Value::room(std::int64_t pixel, float* scratch) const { return half ? scratch : at<float>(z, pixel); }

template <class T>
void Value::store_as(void (*statistics)(const cpu::StatisticsOf<T>&), int thread, std::int64_t pixel,
                     std::int64_t pixels, const float* written, Range channels) {
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  // Any value of the channel is near enough to its mean.
  if (s.pixels == 0)
    std::copy(written + channels.begin, written + channels.end, s.shift.begin() + channels.begin);
  statistics({.z = written + channels.begin,
              .row = shape.c,
              .pixels = pixels,
              .c = static_cast<int>(channels.end - channels.begin),
              .shift = s.shift.data() + channels.begin,
              .sum = s.block_first.data() + channels.begin,
              .sum_squares = s.block_second.data() + channels.begin,
              .stored = at<T>(z, pixel) + channels.begin});
  s.add_block(pixels, channels);
}

void Value::round_to(std::byte* to, std::int64_t pixel, std::int64_t pixels, const float* from,
                     Range channels) const {
  const std::int64_t count = channels.end - channels.begin;
  const auto run = machine_.kernels_bf16.from_float.run;
  if (count == shape.c) return run({from, at<Bf16>(to, pixel), pixels * count});
  for (std::int64_t p = 0; p < pixels; ++p)
    run({from + p * shape.c + channels.begin, at<Bf16>(to, pixel + p) + channels.begin, count});
}

void Value::store(int thread, std::int64_t pixel, std::int64_t pixels, const float* written, Range channels) {
  const bool observed =
      !norm.empty() && (machine_.restating || (machine_.training && !keeps_statistics(norm.front())));
  if (!observed) {
    if (half) round_to(z, pixel, pixels, written, channels);
  } else if (half) {
    store_as<Bf16>(machine_.batch_norm_bf16.statistics, thread, pixel, pixels, written, channels);
  } else {
    store_as<float>(machine_.train.statistics, thread, pixel, pixels, written, channels);
  }
}

void Value::close_statistics(Norm& n) {
  pixels_ = static_cast<double>(machine_.images) * static_cast<double>(shape.pixels());
  means_.resize(n.mean.size());
  squares_.resize(n.mean.size());
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    // Means and squared deviations of the threads' parts, joined (Chan, Golub, LeVeque, 1979).
    double total = 0;
    for (const Sums& s : sums_)
      total += s.first[c] + static_cast<double>(s.pixels_of(c)) * double{s.shift[c]};
    const double mean = total / pixels_;
    double squares = 0;
    for (const Sums& s : sums_) {
      if (s.pixels_of(c) == 0) continue;
      const auto count = static_cast<double>(s.pixels);
      const double own = s.first[c] / count;
      const double apart = own + double{s.shift[c]} - mean;
      squares += std::max(0.0, s.second[c] - own * s.first[c]) + count * apart * apart;
    }
    means_[c] = mean;
    squares_[c] = squares;
  }
  for (Sums& s : sums_) s.clear();
  if (machine_.norms) pixels_ = join_moments(*machine_.norms, pixels_, means_, squares_);
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    const auto mean = static_cast<float>(means_[c]);
    n.mean[c] = mean;
    n.deviation[c] = static_cast<float>(std::sqrt(squares_[c] / pixels_ + double{n.epsilon}));
    const double unbiased = squares_[c] / std::max(1.0, pixels_ - 1);
    n.running_mean[c] += n.momentum * (mean - n.running_mean[c]);
    n.running_variance[c] += n.momentum * (static_cast<float>(unbiased) - n.running_variance[c]);
  }
}

/// Gives the norm the statistics of the batch, and such a scale and offset that it computes what it did.
void Value::restate(Norm& n) {
  const AlignedVector<float> mean(n.running_mean.begin(), n.running_mean.end());
  const AlignedVector<float> variance(n.running_variance.begin(), n.running_variance.end());
  const float momentum = std::exchange(n.momentum, 1.0f);
  close_statistics(n);
  n.momentum = momentum;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double deviation_before = std::sqrt(double{variance[c]} + double{n.epsilon});
    const double deviation_now = std::sqrt(double{n.running_variance[c]} + double{n.epsilon});
    const double moved = double{n.running_mean[c]} - double{mean[c]};
    n.offset[c] = static_cast<float>(double{n.offset[c]} + moved / deviation_before * double{n.scale[c]});
    n.scale[c] = static_cast<float>(double{n.scale[c]} * deviation_now / deviation_before);
  }
}

void Value::close_forward() {
  if (norm.empty()) return;
  Norm& n = norm.front();
  if (machine_.restating) restate(n);
  if (machine_.training && !keeps_statistics(n)) {
    close_statistics(n);
  } else {
    std::ranges::copy(n.running_mean, n.mean.begin());
    for (std::size_t c = 0; c < n.mean.size(); ++c)
      n.deviation[c] = std::sqrt(n.running_variance[c] + n.epsilon);
  }
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    n.multiply[c] = n.scale[c] / n.deviation[c];
    n.add[c] = n.offset[c] - n.mean[c] * n.multiply[c];
  }
}

template <class T, class Y>
void Value::normalise(void (*kernel)(const cpu::NormaliseOf<T, Y>&), std::int64_t pixel, std::int64_t pixels,
                      Finish by, Y* y, std::ptrdiff_t row, int zeros) const {
  kernel({.z = at<T>(z, pixel),
          .multiply = norm.empty() ? nullptr : norm.front().multiply.data(),
          .add = norm.empty() ? nullptr : norm.front().add.data(),
          .y = y,
          .y_pixel = row,
          .pixels = pixels,
          .c = shape.c,
          .finish = by,
          .zeros = zeros});
}

void Value::normalise_to(std::int64_t pixel, std::int64_t pixels, Finish by, float* y,
                         std::ptrdiff_t row) const {
  normalise<float>(machine_.train.normalise, pixel, pixels, by, y, row, 0);
}

Rows Value::fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const {
  if (quantized()) return fetch_quantized(pixel, pixels, scratch, row);
  if (half) {
    normalise<Bf16>(machine_.batch_norm_bf16.normalise, pixel, pixels, finish, scratch, row, 0);
    return {scratch, row};
  }
  if (plain()) return {at<float>(z, pixel), shape.c};
  normalise<float>(machine_.train.normalise, pixel, pixels, finish, scratch, row, 0);
  return {scratch, row};
}

RowsOf<Bf16> Value::fetch(std::int64_t pixel, std::int64_t pixels, Bf16* scratch, std::ptrdiff_t row,
                          int zeros) const {
  if (half)
    normalise<Bf16>(machine_.products->normalise, pixel, pixels, finish, scratch, row, zeros);
  else
    normalise<float>(machine_.products->normalise_float, pixel, pixels, finish, scratch, row, zeros);
  return {scratch, row};
}

template <class T>
void Value::deliver_as(void (*kernel)(const cpu::ActivationGradientOf<T>&), int thread, std::int64_t pixel,
                       std::int64_t pixels, const float* dy, Range channels, bool first, bool last) {
  const std::int64_t begin = channels.begin;
  T* const own = at<T>(gradient, pixel) + begin;
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  const Norm* n = norm.empty() || !last ? nullptr : &norm.front();
  kernel({.dy = dy + begin,
          .earlier = first ? nullptr : own,
          .z = at<T>(z, pixel) + begin,
          .multiply = n ? n->multiply.data() + begin : nullptr,
          .add = n ? n->add.data() + begin : nullptr,
          .mean = n ? n->mean.data() + begin : nullptr,
          .dv = own,
          .row = shape.c,
          .pixels = pixels,
          .c = static_cast<int>(channels.end - begin),
          .finish = last ? finish : Finish::kNone,
          .sum = s.block_first.data() + begin,
          .sum_centred = s.block_second.data() + begin});
  if (last && (n || !d_bias.empty())) s.add_block(pixels, channels);
}

void Value::deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, Range channels,
                    bool first, bool last) {
  if (first && (!last || (plain() && d_bias.empty()))) {
    if (half) return round_to(gradient, pixel, pixels, dy, channels);
    for (std::int64_t p = 0; p < pixels; ++p)
      std::copy(dy + p * shape.c + channels.begin, dy + p * shape.c + channels.end,
                at<float>(gradient, pixel + p) + channels.begin);
  } else if (last && quantized()) {
    deliver_quantized(thread, pixel, pixels, dy, first);
  } else if (half) {
    deliver_as<Bf16>(machine_.batch_norm_bf16.activation_gradient, thread, pixel, pixels, dy, channels, first,
                     last);
  } else {
    deliver_as<float>(machine_.train.activation_gradient, thread, pixel, pixels, dy, channels, first, last);
  }
}

void Value::close_backward() {
  for (ValueQuantizer* grid : {before, after})
    if (grid) grid->close();
  if (norm.empty() && d_bias.empty()) return;
  const auto channels = static_cast<std::size_t>(shape.c);
  // The threads' sums, plain and centred, in the first's place.
  Sums& own = sums_.front();
  for (std::size_t t = 1; t < sums_.size(); ++t)
    for (std::size_t c = 0; c < channels; ++c) {
      own.first[c] += sums_[t].first[c];
      own.second[c] += sums_[t].second[c];
    }
  if (norm.empty())
    for (std::size_t c = 0; c < channels; ++c) d_bias[c] = static_cast<float>(own.first[c]);
  else
    close_norm_gradient(norm.front());
  for (Sums& s : sums_) s.clear();
}

/// These images' gradients of scale and offset; and dz, which depends on all images that were normalised
/// together.
void Value::close_norm_gradient(Norm& n) {
  Sums& s = sums_.front();
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    n.d_offset[c] = static_cast<float>(s.first[c]);
    n.d_scale[c] = static_cast<float>(s.second[c] / double{n.deviation[c]});
  }
  if (keeps_statistics(n)) {  // they do not depend on z
    std::ranges::fill(n.by_value, 0.0f);
    std::ranges::fill(n.constant, 0.0f);
    for (std::size_t c = 0; c < d_bias.size(); ++c)
      d_bias[c] = static_cast<float>(s.first[c] * double{n.multiply[c]});
    return;
  }
  std::ranges::fill(d_bias, 0.0f);  // the batch's mean takes a bias out again
  if (machine_.norms) {
    std::vector<double> both(s.first);
    both.insert(both.end(), s.second.begin(), s.second.end());
    sum(*machine_.norms, both);
    std::copy_n(both.begin(), n.mean.size(), s.first.begin());
    std::copy_n(both.begin() + std::ssize(n.mean), n.mean.size(), s.second.begin());
  }
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    const double deviation = n.deviation[c];
    const double multiply = n.multiply[c];
    const double by_value = -multiply * (s.second[c] / deviation) / (deviation * pixels_);
    n.by_value[c] = static_cast<float>(by_value);
    n.constant[c] = static_cast<float>(-multiply * s.first[c] / pixels_ - by_value * double{n.mean[c]});
  }
}

template <class T, class Y>
void Value::normalise_gradient(void (*kernel)(const cpu::NormaliseGradientOf<T, Y>&), std::int64_t pixel,
                               std::int64_t pixels, Y* dz, std::ptrdiff_t row, int zeros) const {
  const Norm* n = norm.empty() ? nullptr : &norm.front();
  kernel({.dv = at<T>(gradient, pixel),
          .z = at<T>(z, pixel),
          .by_gradient = n ? n->multiply.data() : nullptr,
          .by_value = n ? n->by_value.data() : nullptr,
          .constant = n ? n->constant.data() : nullptr,
          .dz = dz,
          .dz_pixel = row,
          .pixels = pixels,
          .c = shape.c,
          .zeros = zeros});
}

Rows Value::fetch_gradient(std::int64_t pixel, std::int64_t pixels, float* scratch,
                           std::ptrdiff_t row) const {
  if (half) {
    normalise_gradient<Bf16>(machine_.batch_norm_bf16.normalise_gradient, pixel, pixels, scratch, row, 0);
    return {scratch, row};
  }
  if (norm.empty()) return {at<float>(gradient, pixel), shape.c};
  normalise_gradient<float>(machine_.train.normalise_gradient, pixel, pixels, scratch, row, 0);
  return {scratch, row};
}

RowsOf<Bf16> Value::fetch_gradient(std::int64_t pixel, std::int64_t pixels, Bf16* scratch, std::ptrdiff_t row,
                                   int zeros) const {
  if (half)
    normalise_gradient<Bf16>(machine_.products->normalise_gradient, pixel, pixels, scratch, row, zeros);
  else
    normalise_gradient<float>(machine_.products->normalise_gradient_float, pixel, pixels, scratch, row,
                              zeros);
  return {scratch, row};
}

}  // namespace linnet::train
