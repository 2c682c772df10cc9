// Storage on cache-line boundaries, so that vector loads never split a line; large blocks on huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace linnet {

inline constexpr std::size_t kCacheLine = 64;  ///< bytes; also the widest vector register

/// n bytes rounded up to whole cache lines.
constexpr std::int64_t whole_lines(std::int64_t n) {
  constexpr auto kLine = static_cast<std::int64_t>(kCacheLine);
  return (n + kLine - 1) / kLine * kLine;
}

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;  ///< bytes

/// n bytes rounded up to whole huge pages.
constexpr std::size_t whole_huge_pages(std::size_t n) { return (n + kHugePage - 1) / kHugePage * kHugePage; }

/// The boundary that a block of so many bytes begins on.
constexpr std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes < kHugePage ? kCacheLine : kHugePage};
}

/// Asks the system for huge pages under a block that begins on such a boundary: with small ones, the
/// processor waits for the tables of pages more than for the memory. The system may refuse.
void ask_for_huge_pages(void* block, std::size_t bytes);

/// A std::allocator that hands out memory on kCacheLine boundaries.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    void* const block = ::operator new(bytes, alignment_of(bytes));
    if (bytes >= kHugePage) ask_for_huge_pages(block, bytes);
    return static_cast<T*>(block);
  }
  void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment_of(n * sizeof(T))); }
  bool operator==(const AlignedAllocator&) const = default;
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace linnet
