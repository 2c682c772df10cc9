// Where blocks of bytes lie: those that are needed at the same time get bytes of their own, the others share
// them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace linnet::plan {

/// `bytes` that must stay from stage `first` to stage `last`, both included, on a multiple of `alignment`.
struct Block {
  std::int64_t bytes;
  int first;
  int last;
  std::int64_t alignment = 1;
};

/// Two blocks that one stage empties and fills, and what they may share although both are needed: behind the
/// bytes that are written no byte is still to be read.
struct Sharing {
  int filled;  ///< indices of blocks
  int emptied;
  /// `filled` may begin so many bytes before `emptied`, or more; kNever: not without being apart.
  std::int64_t distance;
  bool same_place;  ///< both may begin at one offset
  static constexpr std::int64_t kNever = INT64_MAX / 4;
};

struct Placement {
  std::vector<std::int64_t> offsets;  ///< in bytes, one a block
  std::int64_t bytes = 0;             ///< the largest end
};

/// Greedy in several orders, of which the best is taken: each block at the lowest offset where it meets
/// nothing that lives at the same time, or where it shares a place. (Pisarchyk and Lee, "Efficient Memory
/// Management for Deep Neural Net Inference", 2020: greedy by size.)
Placement place(std::span<const Block> blocks, std::span<const Sharing> sharings = {});

}  // namespace linnet::plan
