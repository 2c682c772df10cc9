#include "train/value.h"

#include <algorithm>
#include <cmath>

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

void Value::Sums::add_block(std::int64_t count) {
  pixels += count;
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] += double{block_first[i]};
    second[i] += double{block_second[i]};
  }
}

void Value::Sums::clear() {
  pixels = 0;
  std::ranges::fill(first, 0.0);
  std::ranges::fill(second, 0.0);
}

float* Value::room(std::int64_t pixel, float* scratch) const { return half ? scratch : at<float>(z, pixel); }

template <class T>
void Value::store_as(void (*statistics)(const cpu::StatisticsOf<T>&), int thread, std::int64_t pixel,
                     std::int64_t pixels, const float* written) {
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  // Any value of the channel is near enough to its mean.
  if (s.pixels == 0) std::copy_n(written, shape.c, s.shift.begin());
  statistics({.z = written,
              .pixels = pixels,
              .c = shape.c,
              .shift = s.shift.data(),
              .sum = s.block_first.data(),
              .sum_squares = s.block_second.data(),
              .stored = at<T>(z, pixel)});
  s.add_block(pixels);
}

void Value::store(int thread, std::int64_t pixel, std::int64_t pixels, const float* written) {
  if (!norm.empty() && machine_.training) {
    if (half) return store_as<Bf16>(machine_.batch_norm_bf16.statistics, thread, pixel, pixels, written);
    return store_as<float>(machine_.train.statistics, thread, pixel, pixels, written);
  }
  if (half) machine_.kernels_bf16.from_float.run({written, at<Bf16>(z, pixel), pixels * shape.c});
}

void Value::close_statistics(Norm& n) {
  const double pixels = static_cast<double>(machine_.images) * static_cast<double>(shape.pixels());
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    // Means and squared deviations of the threads' parts, joined (Chan, Golub, LeVeque, 1979).
    double total = 0;
    for (const Sums& s : sums_) total += s.first[c] + static_cast<double>(s.pixels) * double{s.shift[c]};
    const double mean = total / pixels;
    double squares = 0;
    for (const Sums& s : sums_) {
      if (s.pixels == 0) continue;
      const auto count = static_cast<double>(s.pixels);
      const double own = s.first[c] / count;
      const double apart = own + double{s.shift[c]} - mean;
      squares += std::max(0.0, s.second[c] - own * s.first[c]) + count * apart * apart;
    }
    n.mean[c] = static_cast<float>(mean);
    n.deviation[c] = static_cast<float>(std::sqrt(squares / pixels + double{n.epsilon}));
    const double unbiased = squares / std::max(1.0, pixels - 1);
    n.running_mean[c] += n.momentum * (static_cast<float>(mean) - n.running_mean[c]);
    n.running_variance[c] += n.momentum * (static_cast<float>(unbiased) - n.running_variance[c]);
  }
  for (Sums& s : sums_) s.clear();
}

void Value::close_forward() {
  if (norm.empty()) return;
  Norm& n = norm.front();
  if (machine_.training) {
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
                      Y* y, std::ptrdiff_t row, int zeros) const {
  kernel({.z = at<T>(z, pixel),
          .multiply = norm.empty() ? nullptr : norm.front().multiply.data(),
          .add = norm.empty() ? nullptr : norm.front().add.data(),
          .y = y,
          .y_pixel = row,
          .pixels = pixels,
          .c = shape.c,
          .finish = finish,
          .zeros = zeros});
}

Rows Value::fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const {
  if (half) {
    normalise<Bf16>(machine_.batch_norm_bf16.normalise, pixel, pixels, scratch, row, 0);
    return {scratch, row};
  }
  if (plain()) return {at<float>(z, pixel), shape.c};
  normalise<float>(machine_.train.normalise, pixel, pixels, scratch, row, 0);
  return {scratch, row};
}

RowsOf<Bf16> Value::fetch(std::int64_t pixel, std::int64_t pixels, Bf16* scratch, std::ptrdiff_t row,
                          int zeros) const {
  if (half)
    normalise<Bf16>(machine_.products->normalise, pixel, pixels, scratch, row, zeros);
  else
    normalise<float>(machine_.products->normalise_float, pixel, pixels, scratch, row, zeros);
  return {scratch, row};
}

template <class T>
void Value::deliver_as(void (*kernel)(const cpu::ActivationGradientOf<T>&), int thread, std::int64_t pixel,
                       std::int64_t pixels, const float* dy, bool first, bool last) {
  T* const own = at<T>(gradient, pixel);
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  const Norm* n = norm.empty() || !last ? nullptr : &norm.front();
  kernel({.dy = dy,
          .earlier = first ? nullptr : own,
          .z = at<T>(z, pixel),
          .multiply = n ? n->multiply.data() : nullptr,
          .add = n ? n->add.data() : nullptr,
          .mean = n ? n->mean.data() : nullptr,
          .dv = own,
          .pixels = pixels,
          .c = shape.c,
          .finish = last ? finish : Finish::kNone,
          .sum = s.block_first.data(),
          .sum_centred = s.block_second.data()});
  if (last && (n || !d_bias.empty())) s.add_block(pixels);
}

void Value::deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, bool first,
                    bool last) {
  const std::int64_t size = pixels * shape.c;
  if (first && (!last || (plain() && d_bias.empty()))) {
    if (half)
      machine_.kernels_bf16.from_float.run({dy, at<Bf16>(gradient, pixel), size});
    else
      std::copy_n(dy, size, at<float>(gradient, pixel));
  } else if (half) {
    deliver_as<Bf16>(machine_.batch_norm_bf16.activation_gradient, thread, pixel, pixels, dy, first, last);
  } else {
    deliver_as<float>(machine_.train.activation_gradient, thread, pixel, pixels, dy, first, last);
  }
}

void Value::close_backward() {
  if (norm.empty() && d_bias.empty()) return;
  const double pixels = static_cast<double>(machine_.images) * static_cast<double>(shape.pixels());
  for (std::size_t c = 0; c < static_cast<std::size_t>(shape.c); ++c) {
    double sum = 0;
    double centred = 0;
    for (const Sums& s : sums_) {
      sum += s.first[c];
      centred += s.second[c];
    }
    if (norm.empty()) {
      d_bias[c] = static_cast<float>(sum);
      continue;
    }
    Norm& n = norm.front();
    const double d_scale = centred / double{n.deviation[c]};
    n.d_offset[c] = static_cast<float>(sum);
    n.d_scale[c] = static_cast<float>(d_scale);
    const double by_value = -double{n.multiply[c]} * d_scale / (double{n.deviation[c]} * pixels);
    n.by_value[c] = static_cast<float>(by_value);
    n.constant[c] = static_cast<float>(-double{n.multiply[c]} * sum / pixels - by_value * double{n.mean[c]});
  }
  for (Sums& s : sums_) s.clear();
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
