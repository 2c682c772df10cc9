#include "train/value.h"

#include <algorithm>
#include <cmath>
#include <utility>

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
  if (norm.empty()) return;
  if (!machine_.restating && (norm.front().frozen || !machine_.training)) return;
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
  pixels_ = static_cast<double>(machine_.images) * static_cast<double>(shape.pixels());
  means_.resize(n.mean.size());
  squares_.resize(n.mean.size());
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    // Means and squared deviations of the threads' parts, joined (Chan, Golub, LeVeque, 1979).
    double total = 0;
    for (const Sums& s : sums_) total += s.first[c] + static_cast<double>(s.pixels) * double{s.shift[c]};
    const double mean = total / pixels_;
    double squares = 0;
    for (const Sums& s : sums_) {
      if (s.pixels == 0) continue;
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
    const double before = std::sqrt(double{variance[c]} + double{n.epsilon});
    const double after = std::sqrt(double{n.running_variance[c]} + double{n.epsilon});
    const double moved = double{n.running_mean[c]} - double{mean[c]};
    n.offset[c] = static_cast<float>(double{n.offset[c]} + moved / before * double{n.scale[c]});
    n.scale[c] = static_cast<float>(double{n.scale[c]} * after / before);
  }
}

void Value::close_forward() {
  if (norm.empty()) return;
  Norm& n = norm.front();
  if (machine_.restating) restate(n);
  if (machine_.training && !n.frozen) {
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

Rows Value::fetch(std::int64_t pixel, std::int64_t pixels, float* scratch, std::ptrdiff_t row) const {
  if (plain()) return {at(pixel), shape.c};
  machine_.train.normalise({.z = at(pixel),
                            .multiply = norm.empty() ? nullptr : norm.front().multiply.data(),
                            .add = norm.empty() ? nullptr : norm.front().add.data(),
                            .y = scratch,
                            .y_pixel = row,
                            .pixels = pixels,
                            .c = shape.c,
                            .finish = finish});
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
  if (n.frozen) {  // the statistics do not depend on z, so by_value and constant stay zero
    for (std::size_t c = 0; c < d_bias.size(); ++c)
      d_bias[c] = static_cast<float>(s.first[c] * double{n.multiply[c]});
    return;
  }
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
