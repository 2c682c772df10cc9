// For tests: memory that ends where a page without access begins, so that reading or writing behind it stops
// the program, and whose bytes before it are checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace linnet::cpu {

template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t n) : n_(n) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (n * sizeof(T) + kCanary + page - 1) / page * page;
    size_ = used + page;
    base_ = static_cast<std::byte*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + used, page, PROT_NONE) != 0) std::abort();
    data_ = base_ + used - n * sizeof(T);
    std::memset(base_, kFill, static_cast<std::size_t>(data_ - base_));
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, size_); }

  T* data() { return reinterpret_cast<T*>(data_); }
  const T* data() const { return reinterpret_cast<const T*>(data_); }
  std::size_t size() const { return n_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }
  /// Nothing was written before the first value.
  bool intact() const {
    for (const std::byte* p = base_; p < data_; ++p)
      if (*p != std::byte{kFill}) return false;
    return true;
  }

 private:
  static constexpr std::size_t kCanary = 64;
  static constexpr std::uint8_t kFill = 0xa5;
  std::size_t n_;
  std::size_t size_;
  std::byte* base_;
  std::byte* data_;
};

}  // namespace linnet::cpu
