#include "train/value.h"

#include <algorithm>
#include <cmath>

#include "train/quantizer.h"

namespace linnet::train {

using cpu::Finish;

Value::Value(const Machine& machine, Shape value_shape, Finish value_finish)
    : shape(value_shape), finish(value_finish), machine_(machine) {
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

void Value::observe(int thread, std::int64_t pixel, std::int64_t pixels) {
  if (norm.empty() || !machine_.training || machine_.frozen) return;
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  // Any value of the channel is near enough to its mean.
  if (s.pixels == 0) std::copy_n(at(pixel), shape.c, s.shift.begin());
  machine_.train.statistics({.z = at(pixel),
                             .pixels = pixels,
                             .c = shape.c,
                             .shift = s.shift.data(),
                             .sum = s.block_first.data(),
                             .sum_squares = s.block_second.data()});
  s.add_block(pixels);
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
  if (machine_.training && !machine_.frozen) {
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

void Value::normalise_to(std::int64_t pixel, std::int64_t pixels, Finish by, float* y,
                         std::ptrdiff_t row) const {
  machine_.train.normalise({.z = at(pixel),
                            .multiply = norm.empty() ? nullptr : norm.front().multiply.data(),
                            .add = norm.empty() ? nullptr : norm.front().add.data(),
                            .y = y,
                            .y_pixel = row,
                            .pixels = pixels,
                            .c = shape.c,
                            .finish = by});
}

Rows Value::fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const {
  if (quantized()) return fetch_quantized(pixel, pixels, scratch, row);
  if (plain()) return {at(pixel), shape.c};
  normalise_to(pixel, pixels, finish, scratch, row);
  return {scratch, row};
}

void Value::deliver(int thread, std::int64_t pixel, std::int64_t pixels, const float* dy, bool first,
                    bool last) {
  float* const own = gradient + pixel * shape.c;
  const std::int64_t size = pixels * shape.c;
  const bool sums = !norm.empty() || !d_bias.empty();
  if (!last || (plain() && !sums)) {
    if (first)
      std::copy_n(dy, size, own);
    else
      machine_.kernels.add.run({own, dy, own, size, Finish::kNone});
    return;
  }
  if (quantized()) return deliver_quantized(thread, pixel, pixels, dy, first);
  Sums& s = sums_[static_cast<std::size_t>(thread)];
  const Norm* n = norm.empty() ? nullptr : &norm.front();
  machine_.train.activation_gradient({.dy = dy,
                                      .earlier = first ? nullptr : own,
                                      .z = at(pixel),
                                      .multiply = n ? n->multiply.data() : nullptr,
                                      .add = n ? n->add.data() : nullptr,
                                      .mean = n ? n->mean.data() : nullptr,
                                      .dv = own,
                                      .pixels = pixels,
                                      .c = shape.c,
                                      .finish = finish,
                                      .sum = s.block_first.data(),
                                      .sum_centred = s.block_second.data()});
  if (sums) s.add_block(pixels);
}

void Value::close_backward() {
  for (ValueQuantizer* grid : {before, after})
    if (grid) grid->close();
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
    if (machine_.frozen) {  // statistics that do not depend on z
      n.by_value[c] = n.constant[c] = 0;
      continue;
    }
    const double by_value = -double{n.multiply[c]} * d_scale / (double{n.deviation[c]} * pixels);
    n.by_value[c] = static_cast<float>(by_value);
    n.constant[c] = static_cast<float>(-double{n.multiply[c]} * sum / pixels - by_value * double{n.mean[c]});
  }
  for (Sums& s : sums_) s.clear();
}

Rows Value::fetch_gradient(std::int64_t pixel, std::int64_t pixels, float* scratch,
                           std::ptrdiff_t row) const {
  const float* const own = gradient + pixel * shape.c;
  if (norm.empty()) return {own, shape.c};
  const Norm& n = norm.front();
  machine_.train.normalise_gradient({.dv = own,
                                     .z = at(pixel),
                                     .by_gradient = n.multiply.data(),
                                     .by_value = n.by_value.data(),
                                     .constant = n.constant.data(),
                                     .dz = scratch,
                                     .dz_pixel = row,
                                     .pixels = pixels,
                                     .c = shape.c});
  return {scratch, row};
}

}  // namespace linnet::train
