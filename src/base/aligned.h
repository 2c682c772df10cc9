// Storage on cache-line boundaries, so that vector loads never split a line.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace linnet {

inline constexpr std::size_t kCacheLine = 64;  ///< bytes; also the widest vector register

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
