#include "numerics/int8.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "numerics/int8_c99.h"
#include "numerics/multiplier.h"
#include "numerics/tflite_rounding.h"
#include "support/cases.h"

namespace linnet::numerics {
namespace {

constexpr linnet_output kFull = {0, LINNET_INT8_MIN, LINNET_INT8_MAX};

std::int64_t random_cases() { return testing::cases<std::int64_t>(10'000'000, 1'000'000'000); }

int in(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<int>(
      low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1))));
}

linnet_multiplier random_multiplier(Random& random, int t_low, int t_high) {
  return {in(random, LINNET_M_MIN / 2, LINNET_M_MAX / 2) * 2 + 1, in(random, t_low, t_high)};
}

/// The largest bound that linnet_is_exact_in_float() allows: it is monotone, so bisection finds it.
std::int64_t largest_bound(linnet_multiplier by) {
  std::int64_t low = 0, high = std::int64_t{1} << 25;
  while (low + 1 < high) {
    const std::int64_t middle = (low + high) / 2;
    (linnet_is_exact_in_float(middle, by) ? low : high) = middle;
  }
  return low;
}

/// What the vector kernels do instead: one fused multiply-add onto 1.5 * 2^23, whose low bits are the answer.
std::int64_t scale_in_float(std::int32_t acc, linnet_multiplier by) {
  const float scale = std::ldexp(static_cast<float>(by.m), -by.t);
  const float magic = 0x1.8p23f;
  return std::int64_t{std::bit_cast<std::int32_t>(std::fma(static_cast<float>(acc), scale, magic))} -
         std::bit_cast<std::int32_t>(magic);
}

TEST(int8, rounding_is_to_nearest_and_halves_go_up) {
  const linnet_multiplier half = {LINNET_M_MIN, 24};  // even, so that halves occur: exactly 1/2
  EXPECT_EQ(linnet_scale(1, half), 1);
  EXPECT_EQ(linnet_scale(-1, half), 0);
  EXPECT_EQ(linnet_scale(3, half), 2);
  EXPECT_EQ(linnet_scale(-3, half), -1);
  EXPECT_EQ(linnet_scale(0, half), 0);
}

TEST(int8, scale_is_the_exact_rounding_for_every_corner_of_its_domain) {
  for (const std::int32_t acc : {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX})
    for (const std::int32_t m : {+LINNET_M_MIN + 1, +LINNET_M_MAX, 0})
      for (int t = LINNET_T_MIN; t <= LINNET_T_MAX; ++t) {
        // Exact in long double: |acc * m| < 2^55, and dividing by a power of two loses nothing.
        const long double exact = std::floor(std::ldexp(static_cast<long double>(acc) * m, -t) + 0.5L);
        ASSERT_EQ(static_cast<long double>(linnet_scale(acc, {m, t})), exact)
            << acc << " * " << m << " >> " << t;
      }
}

TEST(int8, requantize_saturates_at_the_activation) {
  const linnet_multiplier one = multiplier(1.0).value();
  EXPECT_EQ(linnet_requantize(INT32_MAX, one, kFull), 127);
  EXPECT_EQ(linnet_requantize(INT32_MIN, one, kFull), -128);
  EXPECT_EQ(linnet_requantize(-5, one, {-10, -10, 50}), -10) << "ReLU: never below the zero point";
  EXPECT_EQ(linnet_requantize(100, one, {-10, -10, 50}), 50) << "ReLU6: never above six";
}

TEST(int8, add_is_the_rounded_sum_over_its_whole_domain) {
  Random random(11);
  for (int round = 0; round < 40; ++round) {
    const float s_a = random.uniform(0.01f, 0.5f), s_b = random.uniform(0.01f, 0.5f),
                s_y = random.uniform(0.05f, 1);
    const linnet_add_multiplier by = add_multiplier(s_a, s_b, s_y).value();
    ASSERT_TRUE(std::max(by.m_a, by.m_b) >= 1 << 14 && std::max(by.m_a, by.m_b) <= LINNET_ADD_M_MAX);
    const int zero_a = in(random, -128, 127), zero_b = in(random, -128, 127), zero_y = in(random, -128, 127);
    for (int a = -128; a <= 127; ++a)
      for (int b = -128; b <= 127; ++b) {
        const double exact = std::ldexp(double(a - zero_a) * by.m_a + double(b - zero_b) * by.m_b, -by.t);
        const double expected = std::clamp(std::floor(exact + 0.5) + zero_y, -128.0, 127.0);
        ASSERT_EQ(linnet_add(static_cast<std::int8_t>(a), zero_a, static_cast<std::int8_t>(b), zero_b, by,
                             {zero_y, -128, 127}),
                  expected);
      }
  }
}

TEST(int8, multiply_average_lookup_and_pixels) {
  const linnet_multiplier one = multiplier(1.0).value();
  EXPECT_EQ(linnet_multiply(-100, -128, 5, 3, one, kFull), 56);  // 28 * 2
  EXPECT_EQ(linnet_average(10 * 49, 49, -118, average_multiplier(1.0f, 1.0f, 49).value(), kFull),
            127);  // 128
  EXPECT_EQ(linnet_average(-7 * 49, 49, 3, average_multiplier(1.0f, 1.0f, 49).value(), kFull), -10);
  std::int8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<std::int8_t>(127 - i);
  EXPECT_EQ(linnet_lookup(table, -128), 127);
  EXPECT_EQ(linnet_lookup(table, 127), -128);
  // The identity from 0 … 255 to -128 … 127.
  const linnet_multiplier grey = multiplier(1.0 / 256).value();
  for (int p = 0; p < 256; ++p)
    EXPECT_EQ(linnet_quantize_pixel(static_cast<std::uint8_t>(p), 128 << 8, grey, kFull), p - 128);
}

TEST(int8, folding_zero_points_changes_no_sum) {
  Random random(5);
  for (int round = 0; round < 1000; ++round) {
    const int zero_x = in(random, -128, 127), zero_w = in(random, -128, 127), bias = in(random, -5000, 5000);
    int plain = bias, stored = 0, with_w = 0, sum_x = 0, sum_w = 0;
    for (int i = 0; i < 30; ++i) {
      const int x = in(random, -128, 127), w = in(random, -128, 127);
      plain += (x - zero_x) * (w - zero_w);
      stored += x * w;
      with_w += (x - zero_x) * w;
      sum_x += x - zero_x;
      sum_w += w;
    }
    EXPECT_EQ(linnet_fold_weight_zero_point(bias + with_w, zero_w, sum_x), plain);
    EXPECT_EQ(linnet_fold_zero_point(bias, zero_x, sum_w) + stored, bias + with_w);
  }
}

TEST(int8, the_header_gives_the_same_in_c99) {
  Random random(17);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto acc = static_cast<std::int32_t>(random.next());
    const linnet_multiplier by = random_multiplier(random, LINNET_T_MIN, LINNET_T_MAX);
    const int zero = in(random, -128, 127), lo = in(random, -128, 0), hi = in(random, 0, 127);
    ASSERT_EQ(c99_requantize(acc, by.m, by.t, zero, lo, hi), linnet_requantize(acc, by, {zero, lo, hi}));
    const linnet_add_multiplier add = {in(random, 0, LINNET_ADD_M_MAX), in(random, 0, LINNET_ADD_M_MAX),
                                       in(random, LINNET_T_MIN, LINNET_ADD_T_MAX)};
    const auto a = static_cast<std::int8_t>(random.next()), b = static_cast<std::int8_t>(random.next());
    ASSERT_EQ(c99_add(a, zero, b, lo, add.m_a, add.m_b, add.t, hi),
              linnet_add(a, zero, b, lo, add, {hi, LINNET_INT8_MIN, LINNET_INT8_MAX}));
  }
}

TEST(exact_in_float, fused_multiply_add_equals_the_integers_for_every_accumulator_in_bound) {
  Random random(23);
  const int multipliers = std::getenv("LINNET_LONG") ? 64 : 2;
  for (int round = 0; round < multipliers; ++round) {
    // Shifts at which the bound is widest: 2^24 accumulators either way.
    const linnet_multiplier by = random_multiplier(random, 26, 30);
    const auto bound = static_cast<std::int32_t>(largest_bound(by));
    for (std::int32_t acc = -bound; acc <= bound; ++acc)
      ASSERT_EQ(scale_in_float(acc, by), linnet_scale(acc, by)) << acc << " * " << by.m << " >> " << by.t;
  }
}

TEST(exact_in_float, fused_multiply_add_equals_the_integers_for_random_multipliers) {
  Random random(29);
  for (std::int64_t i = 0; i < random_cases(); i += 16) {
    const linnet_multiplier by = random_multiplier(random, LINNET_T_MIN, LINNET_T_MAX);
    const std::int64_t bound = largest_bound(by);
    for (int j = 0; j < 16; ++j) {
      // The ends of the range and numbers with many trailing zeros are where it would break.
      std::int64_t acc = j == 0 ? bound : j == 1 ? -bound : in(random, -bound, bound);
      if (j >= 12) acc &= ~((std::int64_t{1} << in(random, 0, 20)) - 1);
      if (std::abs(acc) > bound) continue;
      ASSERT_EQ(scale_in_float(static_cast<std::int32_t>(acc), by),
                linnet_scale(static_cast<std::int32_t>(acc), by))
          << acc << " * " << by.m << " >> " << by.t;
    }
  }
}

TEST(exact_in_float, each_of_the_three_conditions_is_needed) {
  // Without oddness or its bound: acc * m is a tie, which the float rounds to even and the integers round up.
  const linnet_multiplier even = {LINNET_M_MIN, 25};
  EXPECT_NE(scale_in_float(2, even), linnet_scale(2, even)) << "1/2";
  const linnet_multiplier odd = {LINNET_M_MIN + 1, 24};
  EXPECT_FALSE(linnet_is_exact_in_float(1 << 23, odd));
  EXPECT_NE(scale_in_float(-(1 << 23), odd), linnet_scale(-(1 << 23), odd)) << "a tie at acc = 2^(t-1)";
  // Above 2^24 the accumulator itself is rounded.
  const linnet_multiplier small = {12345677, 27};
  EXPECT_FALSE(linnet_is_exact_in_float((1 << 24) + 1, small));
  int differ = 0;
  for (std::int32_t acc = 1 << 24; acc < (1 << 24) + 100000; ++acc)
    differ += scale_in_float(acc, small) != linnet_scale(acc, small);
  EXPECT_GT(differ, 0);
  // Above 2^22 the sum leaves the range where one unit in the last place is 1.
  const linnet_multiplier large = {LINNET_M_MAX, 24};
  EXPECT_FALSE(linnet_is_exact_in_float(3 << 21, large));
  EXPECT_NE(scale_in_float((3 << 21) + 1, large), linnet_scale((3 << 21) + 1, large));
}

TEST(multiplier, is_odd_and_nearest) {
  Random random(31);
  for (int i = 0; i < 1'000'000; ++i) {
    const double factor =
        std::ldexp(0.5 + random.unit() / 2.0 + random.unit() * 0x1p-26, in(random, -38, 22));
    const auto by = multiplier(factor);
    ASSERT_TRUE(by);
    ASSERT_EQ(by->m & 1, 1);
    ASSERT_TRUE(by->m >= LINNET_M_MIN && by->m <= LINNET_M_MAX && by->t >= LINNET_T_MIN &&
                by->t <= LINNET_T_MAX);
    ASSERT_LE(std::abs(std::ldexp(double(by->m), -by->t) / factor - 1), 0x1p-23) << factor;
    ASSERT_LE(std::abs(std::ldexp(factor, by->t) - by->m), 1.0) << "the nearest odd integer";
  }
}

TEST(multiplier, vanishing_and_impossible_factors) {
  EXPECT_EQ(multiplier(0.0)->m, 0);
  EXPECT_EQ(multiplier(0x1p-40)->m, 0);
  EXPECT_EQ(linnet_scale(INT32_MIN, *multiplier(0x1p-40)), 0);
  EXPECT_FALSE(multiplier(-1.0));
  EXPECT_FALSE(multiplier(0x1p23));
  EXPECT_FALSE(multiplier(NAN));
  EXPECT_FALSE(layer_multiplier(0.0f, 1.0f, 1.0f));
  EXPECT_FALSE(layer_multiplier(1.0f, 1.0f, INFINITY));
  EXPECT_EQ(layer_multiplier(1.0f, 0.0f, 1.0f)->m, 0) << "a channel whose weights vanish";
  EXPECT_FALSE(add_multiplier(1.0f, 1.0f, 1e-6f));
  EXPECT_FALSE(add_multiplier(1.0f, -1.0f, 1.0f));
}

TEST(tflite_rounding, differs_by_at_most_one_and_the_less_often_the_smaller_the_factor) {
  Random random(37);
  for (int shift = 2; shift <= 14; ++shift) {
    std::int64_t cases = 0, differ = 0;
    for (int round = 0; round < 200; ++round) {
      const double factor = std::ldexp(0.5 + random.unit() / 2.0, -shift);
      const linnet_multiplier ours = multiplier(factor).value();
      const TfliteMultiplier theirs = tflite_multiplier(factor);
      const auto reach = static_cast<std::int64_t>(140 / factor);  // int8's range and a little
      for (int i = 0; i < 5000; ++i, ++cases) {
        const int acc = in(random, -reach, reach);
        const std::int64_t distance = std::abs(linnet_scale(acc, ours) - tflite_scale(acc, theirs));
        ASSERT_LE(distance, 1);
        differ += distance;
      }
    }
    const double share = static_cast<double>(differ) / static_cast<double>(cases);
    fmt::print("factor 2^-{:<2}  {:.4f} % of requantizations differ, each by one\n", shift, 100 * share);
    // The first rounding leaves `shift` fractional bits. One value in 2^shift becomes a tie that was none;
    // half of these then go the wrong way.
    EXPECT_NEAR(share, std::ldexp(0.5, -shift), std::ldexp(0.05, -shift) + 3e-5);
  }
}

}  // namespace
}  // namespace linnet::numerics
