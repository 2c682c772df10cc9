// Histograms, and the ranges that are chosen from them.
#include "quantize/range.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace linnet::quantize {
namespace {

constexpr Method kMethods[] = {Method::kMinMax, Method::kPercentile, Method::kMse, Method::kKl};

/// Sums of uniform values: a bell of deviation `spread`.
std::vector<float> bell(std::size_t n, float spread, std::uint64_t seed = 1) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) {
    for (int i = 0; i < 12; ++i) v += random.uniform(-0.5f, 0.5f);
    v *= spread;
  }
  return values;
}

Histogram histogram(std::span<const float> values) {
  Histogram h;
  EXPECT_TRUE(h.add(values));
  return h;
}

std::vector<std::int64_t> bins(const Histogram& h) { return {h.bins().begin(), h.bins().end()}; }

TEST(histogram, counts_every_value_in_its_bin) {
  const std::vector<float> values = {-3, 0, 0, 0.5f, 5};
  const Histogram h = histogram(values);
  EXPECT_EQ(h.count(), 5);
  EXPECT_EQ(h.zeros(), 2);
  EXPECT_EQ(h.low(), -3);
  EXPECT_EQ(h.high(), 5);
  std::int64_t sum = 0;
  for (int i = 0; i < 2 * Histogram::kSide; ++i)
    if (const std::int64_t n = h.bins()[static_cast<std::size_t>(i)]; n > 0) {
      const double low = (i - Histogram::kSide) * h.width();
      EXPECT_EQ(n, std::ranges::count_if(values, [&](float v) { return v >= low && v < low + h.width(); }));
      sum += n;
    }
  EXPECT_EQ(sum, 5);
}

TEST(histogram, is_the_same_in_whatever_order_and_parts_it_is_made) {
  std::vector<float> values = bell(5000, 1);
  for (std::size_t i = 0; i < values.size(); i += 7) values[i] *= 300;
  const Histogram whole = histogram(values);
  Histogram backwards, merged;
  for (std::size_t i = values.size(); i > 0; --i)
    ASSERT_TRUE(backwards.add(std::span(values).subspan(i - 1, 1)));
  for (std::size_t part = 0; part < 10; ++part)
    merged.merge(histogram(std::span(values).subspan(part * 500, 500)));
  for (const Histogram* h : {&backwards, &merged}) {
    EXPECT_EQ(h->width(), whole.width());
    EXPECT_EQ(h->count(), whole.count());
    EXPECT_EQ(h->high(), whole.high());
    EXPECT_EQ(bins(*h), bins(whole));
  }
}

TEST(histogram, refuses_what_is_not_finite) {
  Histogram h;
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    EXPECT_FALSE(h.add(std::vector{1.0f, bad, 2.0f}));
    EXPECT_EQ(h.count(), 0);
  }
}

TEST(range, every_method_contains_zero_and_stays_within_what_was_seen) {
  for (const Method method : kMethods)
    for (const float shift : {-5.0f, 0.0f, 3.0f}) {
      std::vector<float> values = bell(20000, 0.3f);
      for (float& v : values) v += shift;
      const auto [low, high] = std::ranges::minmax(values);
      const Range range = choose_range(histogram(values), method);
      EXPECT_LE(range.low, 0) << to_string(method);
      EXPECT_GE(range.high, 0) << to_string(method);
      EXPECT_GE(range.low, std::min(low, 0.0f)) << to_string(method);
      EXPECT_LE(range.high, std::max(high, 0.0f)) << to_string(method);
      EXPECT_GT(range.high - range.low, 0.5) << to_string(method);
    }
}

TEST(range, a_lone_outlier_is_cut_off_where_frequencies_count) {
  std::vector<float> values = bell(50000, 1);
  for (float& v : values) v = std::max(v, 0.0f);
  values[17] = 60;
  const Histogram h = histogram(values);
  EXPECT_EQ(choose_range(h, Method::kMinMax).high, 60);
  for (const Method method : {Method::kPercentile, Method::kKl}) {
    EXPECT_LT(choose_range(h, method).high, 30) << to_string(method);
    EXPECT_GT(choose_range(h, method).high, 2) << to_string(method);
    EXPECT_EQ(choose_range(h, method).low, 0) << to_string(method);
  }
}

/// Sum of the squares of what quantization changes.
double squared_error(std::span<const float> values, const Range& range) {
  const Quantization q = quantization_of(range);
  double sum = 0;
  for (const float v : values) {
    const double stored = std::clamp(std::round(double{v} / q.scale) + q.zero_point, -128.0, 127.0);
    const double error = v - (stored - q.zero_point) * q.scale;
    sum += error * error;
  }
  return sum;
}

TEST(range, least_squares_is_no_worse_than_any_other) {
  std::vector<float> values = bell(30000, 1);
  for (std::size_t i = 0; i < values.size(); i += 500) values[i] *= 5;
  const Histogram h = histogram(values);
  const double least = squared_error(values, choose_range(h, Method::kMse));
  for (const Method method : kMethods)
    EXPECT_LE(least, 1.02 * squared_error(values, choose_range(h, method)));
  EXPECT_LT(least, 0.95 * squared_error(values, choose_range(h, Method::kMinMax)));
}

TEST(range, the_grid_has_zero_and_both_ends_whatever_they_are) {
  Random random(5);
  for (int i = 0; i < 20000; ++i) {
    const double magnitude = std::exp2(random.uniform(-30, 30));
    const Range range = {-magnitude * random.unit() * (i % 3 != 0), magnitude * random.unit() * (i % 5 != 0)};
    const Quantization q = quantization_of(range);
    ASSERT_GE(q.zero_point, -128);
    ASSERT_LE(q.zero_point, 127);
    // Half a step beyond the end would round to the end; a float32 scale is off by 2^-24.
    EXPECT_GE(range.low * (1 - 1e-6), (-128 - q.zero_point) * double{q.scale} - 1e-6 * magnitude) << i;
    EXPECT_LE(range.high * (1 - 1e-6), (127 - q.zero_point) * double{q.scale} + 1e-6 * magnitude) << i;
    if (range.low == 0 && range.high > 0) {
      EXPECT_EQ(q.zero_point, -128);
    }
    if (range.high == 0 && range.low < 0) {
      EXPECT_EQ(q.zero_point, 127);
    }
    if (range.high - range.low > 1e-9) {
      EXPECT_LE(q.scale * 253, range.high - range.low + 1e-6 * magnitude) << i;
    }
  }
}

TEST(range, a_least_scale_is_kept_and_an_empty_range_has_a_scale) {
  EXPECT_EQ(quantization_of({0, 0}).scale, 1);
  EXPECT_EQ(quantization_of({0, 0}, 0.25).scale, 0.25f);
  for (const Range range : {Range{0, 1e-3}, Range{-1e-3, 0}, Range{-2e-3, 1e-3}}) {
    const Quantization q = quantization_of(range, 0.5);
    EXPECT_GE(q.scale, 0.5f);
    EXPECT_LE(q.scale, 0.51f);
  }
  EXPECT_EQ(choose_range(histogram(std::vector<float>(9, 0.0f)), Method::kKl).high, 0);
}

TEST(range, methods_are_named) {
  for (const Method method : kMethods) EXPECT_EQ(parse_method(to_string(method)).value(), method);
  EXPECT_EQ(parse_method("entropy").error().kind, Error::Kind::kUsage);
}

}  // namespace
}  // namespace linnet::quantize
