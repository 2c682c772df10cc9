#include "plan/placement.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace linnet::plan {
namespace {

std::int64_t align_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
std::int64_t align_down(std::int64_t n, std::int64_t to) { return n / to * to; }

/// One placement in the making.
class Placer {
 public:
  Placer(std::span<const Block> blocks, std::span<const Sharing> sharings)
      : blocks_(blocks), sharings_(sharings), offsets_(blocks.size(), kUnplaced) {}

  Placement run(std::span<const std::size_t> order) {
    Placement placement;
    for (const std::size_t i : order) {
      offsets_[i] = lowest_offset(i);
      placement.bytes = std::max(placement.bytes, offsets_[i] + blocks_[i].bytes);
    }
    placement.offsets = offsets_;
    return placement;
  }

 private:
  static constexpr std::int64_t kUnplaced = -1;

  bool live_together(std::size_t a, std::size_t b) const {
    return blocks_[a].first <= blocks_[b].last && blocks_[b].first <= blocks_[a].last;
  }

  /// Whether `i` at `offset` and the placed `j` do not harm each other.
  bool agrees(std::size_t i, std::int64_t offset, std::size_t j) const {
    if (!live_together(i, j)) return true;
    if (offset + blocks_[i].bytes <= offsets_[j] || offsets_[j] + blocks_[j].bytes <= offset) return true;
    for (const Sharing& s : sharings_) {
      const auto filled = static_cast<std::size_t>(s.filled);
      const auto emptied = static_cast<std::size_t>(s.emptied);
      if (!(filled == i && emptied == j) && !(filled == j && emptied == i)) continue;
      const std::int64_t filled_at = filled == i ? offset : offsets_[j];
      const std::int64_t emptied_at = filled == i ? offsets_[j] : offset;
      return filled_at + s.distance <= emptied_at || (s.same_place && filled_at == emptied_at);
    }
    return false;
  }

  bool fits(std::size_t i, std::int64_t offset) const {
    for (std::size_t j = 0; j < blocks_.size(); ++j)
      if (offsets_[j] != kUnplaced && !agrees(i, offset, j)) return false;
    return true;
  }

  std::int64_t lowest_offset(std::size_t i) const {
    const std::int64_t alignment = blocks_[i].alignment;
    std::int64_t best = Sharing::kNever;
    const auto consider = [&](std::int64_t offset) {
      if (offset >= 0 && offset < best && offset % alignment == 0 && fits(i, offset)) best = offset;
    };
    // In place, where that may be, whatever is free elsewhere: the bytes are in the cache.
    for (const Sharing& s : sharings_)
      if (const std::optional<std::size_t> other = partner(s, i); other && s.same_place)
        consider(offsets_[*other]);
    if (best != Sharing::kNever) return best;
    consider(0);
    for (std::size_t j = 0; j < blocks_.size(); ++j)
      if (offsets_[j] != kUnplaced && live_together(i, j))
        consider(align_up(offsets_[j] + blocks_[j].bytes, alignment));
    for (const Sharing& s : sharings_) {
      const std::optional<std::size_t> other = partner(s, i);
      if (!other || s.distance == Sharing::kNever) continue;
      if (static_cast<std::size_t>(s.filled) == i)
        consider(align_down(offsets_[*other] - s.distance, alignment));
      else
        consider(align_up(std::max<std::int64_t>(offsets_[*other] + s.distance, 0), alignment));
    }
    return best;
  }

  /// The other, placed block of a sharing that has to do with `i`.
  std::optional<std::size_t> partner(const Sharing& s, std::size_t i) const {
    const auto filled = static_cast<std::size_t>(s.filled);
    const auto emptied = static_cast<std::size_t>(s.emptied);
    const std::size_t other = filled == i ? emptied : filled;
    if ((filled != i && emptied != i) || offsets_[other] == kUnplaced) return std::nullopt;
    return other;
  }

  std::span<const Block> blocks_;
  std::span<const Sharing> sharings_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace

Placement place(std::span<const Block> blocks, std::span<const Sharing> sharings) {
  std::optional<Placement> best;
  const auto attempt = [&](auto key) {
    std::vector<std::size_t> order(blocks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // Of equals the later first, then the earlier.
    for (int turn = 0; turn < 2; ++turn) {
      std::ranges::reverse(order);
      std::vector<std::size_t> sorted = order;
      std::ranges::stable_sort(sorted, std::ranges::greater{}, [&](std::size_t i) { return key(blocks[i]); });
      Placement placement = Placer(blocks, sharings).run(sorted);
      if (!best || placement.bytes < best->bytes) best = std::move(placement);
    }
  };
  attempt([](const Block& b) { return b.bytes; });
  attempt([](const Block& b) { return std::pair(b.alignment, b.bytes); });
  attempt([](const Block& b) { return b.bytes * (b.last - b.first + 1); });
  attempt([](const Block& b) { return b.last - b.first; });
  attempt([](const Block& b) { return b.first; });
  attempt([](const Block& b) { return -b.first; });
  return *best;
}

}  // namespace linnet::plan
