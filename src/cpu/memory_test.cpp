#include "cpu/memory.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace linnet::cpu {
namespace {

TEST(memory, values_that_live_together_never_overlap) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<Lifetime> lifetimes;
    for (int i = 0; i < 30; ++i) {
      const int first = static_cast<int>(random.below(20));
      lifetimes.push_back({1 + static_cast<std::int64_t>(random.below(1000)), first,
                           first + static_cast<int>(random.below(5))});
    }
    const Placement p = place(lifetimes);
    for (std::size_t a = 0; a < lifetimes.size(); ++a) {
      EXPECT_EQ(p.offsets[a] % 64, 0);
      EXPECT_LE(p.offsets[a] + lifetimes[a].size, p.size);
      for (std::size_t b = 0; b < a; ++b) {
        const bool together =
            lifetimes[a].first <= lifetimes[b].last && lifetimes[b].first <= lifetimes[a].last;
        const bool apart = p.offsets[a] + lifetimes[a].size <= p.offsets[b] ||
                           p.offsets[b] + lifetimes[b].size <= p.offsets[a];
        EXPECT_TRUE(!together || apart) << "seed " << seed << ": " << a << " and " << b;
      }
    }
  }
}

TEST(memory, a_chain_needs_its_two_largest_neighbours) {
  // Sizes of a chain of layers: each value lives while the next is computed.
  const Lifetime chain[] = {{64, 0, 1}, {320, 1, 2}, {160, 2, 3}, {32, 3, 4}};
  EXPECT_EQ(place(chain).size, 320 + 160);
}

}  // namespace
}  // namespace linnet::cpu
