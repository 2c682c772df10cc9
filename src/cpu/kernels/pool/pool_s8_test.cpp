// Every ISA's int8 pool against sums and linnet_average(): equality.
#include "cpu/kernels/pool/pool_s8.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/guarded.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

int in(Random& random, int low, int high) {
  return low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

TEST(pool_s8, equals_the_definition_on_every_isa_for_any_shape_and_any_channels) {
  constexpr int kChannels[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 63, 64, 65, 72, 100, 320};
  constexpr int kPixels[] = {1, 2, 3, 4, 5, 7, 8, 9, 48, 49, 50, 51, 196};
  for (int seed = 1; seed <= testing::cases(300); ++seed)
    for (const Isa isa : available_isas()) {
      Random random(static_cast<std::uint64_t>(seed));
      PoolS8 a = {};
      a.c = kChannels[random.below(std::size(kChannels))];
      a.pixels = kPixels[random.below(std::size(kPixels))];
      Guarded<std::int8_t> x(static_cast<std::size_t>(a.pixels * a.c)), y(static_cast<std::size_t>(a.c));
      const int fill = in(random, 0, 5);
      for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<std::int8_t>(fill == 1 ? -128 : fill == 2 ? 127 : in(random, -128, 127));
      a.x = x.data();
      a.y = y.data();
      a.zero_x = random.below(2) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
      a.by = {in(random, LINNET_M_MIN, LINNET_M_MAX) | 1,
              random.below(3) ? in(random, 22, 34) : in(random, 1, 62)};
      const int lo = in(random, -128, 100);
      a.to = {in(random, -128, 127), lo, in(random, lo, 127)};
      const int middle = in(random, 0, a.c);
      for (const auto& [begin, end] : {std::pair{middle, a.c}, std::pair{0, middle}}) {
        a.channel_begin = begin;
        a.channel_end = end;
        kernels_s8(isa).pool.run(a);
      }
      for (int c = 0; c < a.c; ++c) {
        std::int32_t sum = 0;
        for (int p = 0; p < a.pixels; ++p) sum += x[static_cast<std::size_t>(p * a.c + c)];
        ASSERT_EQ(y[static_cast<std::size_t>(c)], linnet_average(sum, a.pixels, a.zero_x, a.by, a.to))
            << to_string(isa) << ", seed " << seed << ": " << a.pixels << " pixels, channel " << c << " of "
            << a.c << ", cut at " << middle;
      }
      ASSERT_TRUE(y.intact()) << to_string(isa) << ", seed " << seed;
    }
}

}  // namespace
}  // namespace linnet::cpu
