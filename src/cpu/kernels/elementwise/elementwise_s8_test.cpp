// Every ISA's element-wise int8 kernels against the functions of numerics/, one value after the other:
// equality.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/guarded.h"
#include "numerics/multiplier.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

constexpr int kSizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 63, 64, 65, 72, 100, 257, 1000};

int in(Random& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}
void draw(Random& random, Guarded<std::int8_t>& values) {
  const int fill = in(random, 0, 5);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::int8_t>(fill == 1 ? -128 : fill == 2 ? 127 : in(random, -128, 127));
}
linnet_output draw_output(Random& random) {
  const int lo = in(random, -128, 100);
  if (random.below(2)) return {in(random, -128, 127), -128, 127};
  return {in(random, -128, 127), lo, in(random, lo, 127)};
}

/// work(random, kernels) for every ISA, each with the same random numbers.
template <class Work>
void for_each_isa(int cases, Work work) {
  for (int seed = 1; seed <= testing::cases(cases); ++seed)
    for (const Isa isa : available_isas()) {
      SCOPED_TRACE(::testing::Message() << to_string(isa) << ", seed " << seed);
      Random random(static_cast<std::uint64_t>(seed));
      work(random, kernels_s8(isa));
      if (::testing::Test::HasFatalFailure()) return;
    }
}

TEST(elementwise_s8, add_equals_linnet_add) {
  for_each_isa(200, [](Random& random, const KernelsS8& kernels) {
    const auto n = static_cast<std::size_t>(kSizes[random.below(std::size(kSizes))]);
    Guarded<std::int8_t> x(n), other(n), y(n);
    draw(random, x);
    draw(random, other);
    AddS8 a = {};
    a.zero_a = in(random, -128, 127);
    a.zero_b = in(random, -128, 127);
    a.by = {in(random, 0, LINNET_ADD_M_MAX), in(random, 0, LINNET_ADD_M_MAX),
            in(random, 1, LINNET_ADD_T_MAX)};
    a.to = draw_output(random);
    std::vector<std::int8_t> expected;
    for (std::size_t i = 0; i < n; ++i)
      expected.push_back(linnet_add(x[i], a.zero_a, other[i], a.zero_b, a.by, a.to));
    const bool in_place = random.below(2) != 0;
    a.a = x.data();
    a.b = other.data();
    a.y = in_place ? x.data() : y.data();
    a.n = static_cast<std::ptrdiff_t>(n);
    kernels.add.run(a);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(a.y[i], expected[i]) << "value " << i << " of " << n;
    ASSERT_TRUE(x.intact() && y.intact());
  });
}

TEST(elementwise_s8, multiply_equals_linnet_multiply) {
  for_each_isa(300, [](Random& random, const KernelsS8& kernels) {
    const int c = kSizes[random.below(std::size(kSizes))], pixels = in(random, 1, 9);
    const auto n = static_cast<std::size_t>(pixels * c);
    Guarded<std::int8_t> x(n), gate(static_cast<std::size_t>(c)), y(n);
    draw(random, x);
    draw(random, gate);
    MultiplyS8 a = {};
    a.x = x.data();
    a.gate = gate.data();
    a.y = y.data();
    a.pixels = pixels;
    a.c = c;
    a.zero_x = in(random, -128, 127);
    a.zero_gate = random.below(2) ? in(random, -128, 127) : -128;  // as a sigmoid's is
    // Small shifts are beyond the float form.
    a.by = {in(random, LINNET_M_MIN, LINNET_M_MAX) | 1,
            random.below(3) ? in(random, 26, 40) : in(random, 1, 62)};
    a.to = draw_output(random);
    a.y_is_unsigned = kernels.stores_unsigned && random.below(2);
    kernels.multiply.run(a);
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(
          a.y_is_unsigned ? y[i] ^ -128 : y[i],
          linnet_multiply(x[i], a.zero_x, gate[i % static_cast<std::size_t>(c)], a.zero_gate, a.by, a.to))
          << "value " << i << " of " << pixels << " x " << c;
    ASSERT_TRUE(y.intact());
  });
}

TEST(elementwise_s8, lookup_equals_linnet_lookup) {
  for_each_isa(100, [](Random& random, const KernelsS8& kernels) {
    const auto n = static_cast<std::size_t>(kSizes[random.below(std::size(kSizes))]);
    Guarded<std::int8_t> x(n), y(n), table(256);
    draw(random, x);
    for (std::size_t i = 0; i < 256; ++i) table[i] = static_cast<std::int8_t>(random.next());
    kernels.lookup.run({x.data(), y.data(), static_cast<std::ptrdiff_t>(n), table.data()});
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(y[i], linnet_lookup(table.data(), x[i])) << i << " of " << n;
    ASSERT_TRUE(y.intact());
  });
}

TEST(elementwise_s8, quantize_input_equals_quantize_real_also_for_what_is_no_number) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kSpecial[] = {std::numeric_limits<float>::quiet_NaN(),
                                -std::numeric_limits<float>::quiet_NaN(),
                                kInfinity,
                                -kInfinity,
                                0.0f,
                                -0.0f,
                                std::numeric_limits<float>::denorm_min(),
                                std::numeric_limits<float>::max(),
                                std::numeric_limits<float>::lowest(),
                                3e9f,
                                -3e9f};
  for_each_isa(300, [&](Random& random, const KernelsS8& kernels) {
    const auto n = static_cast<std::size_t>(kSizes[random.below(std::size(kSizes))]);
    Guarded<float> x(n);
    Guarded<std::int8_t> y(n);
    const float factor =
        random.below(2) ? 1.0f : static_cast<float>(std::ldexp(1 + random.unit(), in(random, -4, 8)));
    for (std::size_t i = 0; i < n; ++i) {
      // Halves, on which rounding to even shows, and any number.
      const float half = static_cast<float>(in(random, -1100, 1100)) * 0.5f;
      x[i] = random.below(8) == 0   ? kSpecial[random.below(std::size(kSpecial))]
             : random.below(2) != 0 ? half / factor
                                    : static_cast<float>(random.unit() * 600 - 300) / factor;
    }
    const int zero = random.below(2) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
    kernels.quantize_input.run({x.data(), y.data(), static_cast<std::ptrdiff_t>(n), factor, zero});
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(y[i], numerics::quantize_real(x[i], factor, zero))
          << x[i] << " * " << factor << " + " << zero;
    ASSERT_TRUE(y.intact());
  });
}

}  // namespace
}  // namespace linnet::cpu
