// Storage on cache-line boundaries, so that vector loads never split a line.
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

/// A std::allocator that hands out memory on kCacheLine boundaries.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{kCacheLine}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{kCacheLine}); }
  bool operator==(const AlignedAllocator&) const = default;
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace linnet
