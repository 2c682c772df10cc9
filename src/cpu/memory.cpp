#include "cpu/memory.h"

#include <algorithm>
#include <numeric>

#include "base/aligned.h"

namespace linnet::cpu {

std::int64_t whole_lines(std::int64_t n) {
  constexpr auto kLine = static_cast<std::int64_t>(kCacheLine);
  return (n + kLine - 1) / kLine * kLine;
}

Placement place(std::span<const Lifetime> lifetimes) {
  Placement placement;
  placement.offsets.assign(lifetimes.size(), 0);
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return lifetimes[a].size > lifetimes[b].size; });

  std::vector<std::size_t> placed;  // by rising offset
  for (const std::size_t i : order) {
    const Lifetime& mine = lifetimes[i];
    std::int64_t offset = 0;
    for (const std::size_t j : placed) {
      const Lifetime& other = lifetimes[j];
      if (other.last < mine.first || mine.last < other.first) continue;
      if (offset + mine.size <= placement.offsets[j]) break;
      const std::int64_t end = placement.offsets[j] + other.size;
      offset = std::max(offset, whole_lines(end));
    }
    placement.offsets[i] = offset;
    placement.size = std::max(placement.size, offset + mine.size);
    placed.insert(
        std::ranges::upper_bound(placed, offset, {}, [&](std::size_t j) { return placement.offsets[j]; }), i);
  }
  return placement;
}

void Workspace::Free::operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kCacheLine}); }

Result<Workspace> Workspace::allocate(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max(bytes, std::int64_t{1}));
  Workspace workspace;
  workspace.data_.reset(
      static_cast<std::byte*>(::operator new[](size, std::align_val_t{kCacheLine}, std::nothrow)));
  if (!workspace.data_) return fail("{} bytes for activations are more than this machine has", bytes);
  return workspace;
}

}  // namespace linnet::cpu
