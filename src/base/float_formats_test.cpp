#include "base/float_formats.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace linnet {
namespace {

TEST(float_formats, every_float16_survives_the_trip_through_float32) {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float value = float_from_float16(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(float16_from_float(value), bits);
  }
}

TEST(float_formats, every_bfloat16_survives_the_trip_through_float32) {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const float value = float_from_bfloat16(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    ASSERT_EQ(bfloat16_from_float(value), bits);
  }
}

TEST(float_formats, values_half_way_round_to_even) {
  for (std::uint32_t bits = 0; bits < 0x7c00u; ++bits) {
    const double low = float_from_float16(static_cast<std::uint16_t>(bits));
    const double high = bits == 0x7bff ? 65536.0 : float_from_float16(static_cast<std::uint16_t>(bits + 1));
    const auto half_way = static_cast<float>((low + high) / 2);
    const std::uint32_t even = bits & 1 ? bits + 1 : bits;
    ASSERT_EQ(float16_from_float(half_way), even) << low;
    ASSERT_EQ(float16_from_float(std::nextafter(half_way, 0.0f)), bits) << low;
    ASSERT_EQ(float16_from_float(std::nextafter(half_way, 1e6f)), bits + 1) << low;
  }
}

TEST(float_formats, nan_stays_nan_and_infinity_infinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(float_from_float16(float16_from_float(nan))));
  EXPECT_TRUE(std::isnan(float_from_bfloat16(bfloat16_from_float(nan))));
  EXPECT_EQ(float_from_float16(float16_from_float(-infinity)), -infinity);
  EXPECT_EQ(float_from_bfloat16(bfloat16_from_float(-infinity)), -infinity);
}

}  // namespace
}  // namespace linnet
