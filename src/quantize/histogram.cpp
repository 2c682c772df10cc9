#include "quantize/histogram.h"

#include <algorithm>
#include <cmath>

namespace linnet::quantize {
namespace {

/// The smallest power of two that has `largest` inside of kSide bins.
double width_for(double largest) {
  int exponent = 0;
  std::frexp(largest / Histogram::kSide, &exponent);  // largest / kSide < 2^exponent
  return std::ldexp(1.0, exponent);
}

}  // namespace

bool Histogram::add(std::span<const float> values) {
  float low = 0, high = 0;
  bool finite = true;
  for (const float v : values) {
    low = std::min(low, v);
    high = std::max(high, v);
    finite = finite && std::isfinite(v);
  }
  if (!finite) return false;
  low_ = std::min(low_, low);
  high_ = std::max(high_, high);
  if (const float largest = std::max(high, -low); largest > 0) grow_to(width_for(largest));
  const double per_width = 1.0 / width_;
  for (const float v : values) {
    zeros_ += v == 0.0f;
    ++bins_[static_cast<std::size_t>(v * per_width + kSide)];
  }
  count_ += std::ssize(values);
  return true;
}

void Histogram::merge(const Histogram& other) {
  Histogram theirs = other;
  grow_to(theirs.width_);
  theirs.grow_to(width_);
  for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += theirs.bins_[i];
  count_ += theirs.count_;
  zeros_ += theirs.zeros_;
  low_ = std::min(low_, theirs.low_);
  high_ = std::max(high_, theirs.high_);
}

void Histogram::grow_to(double width) {
  if (width <= width_) return;
  const auto factor = width / width_;
  std::array<std::int64_t, 2 * kSide> wide = {};
  for (int i = 0; i < 2 * kSide; ++i)
    if (const std::int64_t n = bins_[static_cast<std::size_t>(i)]; n > 0)
      wide[static_cast<std::size_t>(kSide + static_cast<int>(std::floor((i - kSide) / factor)))] += n;
  bins_ = wide;
  width_ = width;
}

}  // namespace linnet::quantize
