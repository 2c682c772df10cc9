#include "plan/placement.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace linnet::plan {
namespace {

/// What two blocks that live together must not do, said anew.
bool may_lie(const Block& a, std::int64_t a_at, const Block& b, std::int64_t b_at) {
  const bool together = a.first <= b.last && b.first <= a.last;
  return !together || a_at + a.bytes <= b_at || b_at + b.bytes <= a_at;
}

TEST(placement, blocks_that_live_together_never_overlap) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    std::vector<Block> blocks;
    for (int i = 0; i < 30; ++i) {
      const int first = static_cast<int>(random.below(20));
      blocks.push_back({1 + static_cast<std::int64_t>(random.below(1000)), first,
                        first + static_cast<int>(random.below(5)), std::int64_t{1} << random.below(7)});
    }
    const Placement p = place(blocks);
    for (std::size_t a = 0; a < blocks.size(); ++a) {
      EXPECT_EQ(p.offsets[a] % blocks[a].alignment, 0);
      EXPECT_LE(p.offsets[a] + blocks[a].bytes, p.bytes);
      for (std::size_t b = 0; b < a; ++b)
        EXPECT_TRUE(may_lie(blocks[a], p.offsets[a], blocks[b], p.offsets[b]))
            << "seed " << seed << ": " << a << " and " << b;
    }
  }
}

TEST(placement, a_chain_needs_its_two_largest_neighbours) {
  // Sizes of a chain of layers: each value lives while the next is computed.
  const Block chain[] = {{64, 0, 1}, {320, 1, 2}, {160, 2, 3}, {32, 3, 4}};
  EXPECT_EQ(place(chain).bytes, 320 + 160);
}

TEST(placement, what_is_filled_may_begin_its_distance_before_what_is_emptied) {
  const Block blocks[] = {{100, 0, 1}, {100, 1, 2}};
  const Sharing near[] = {{.filled = 1, .emptied = 0, .distance = 30, .same_place = false}};
  const Placement p = place(blocks, near);
  EXPECT_EQ(p.bytes, 130);
  EXPECT_LE(p.offsets[1] + 30, p.offsets[0]);
  const Sharing behind[] = {{.filled = 1, .emptied = 0, .distance = -20, .same_place = false}};
  EXPECT_EQ(place(blocks, behind).bytes, 100);
}

TEST(placement, blocks_of_one_place_begin_at_one_offset) {
  const Block blocks[] = {{100, 0, 1}, {50, 0, 3}, {100, 1, 2}};
  const Sharing in_place[] = {{.filled = 2, .emptied = 0, .distance = Sharing::kNever, .same_place = true}};
  const Placement p = place(blocks, in_place);
  EXPECT_EQ(p.bytes, 150);
  EXPECT_EQ(p.offsets[2], p.offsets[0]);
}

}  // namespace
}  // namespace linnet::plan
