// Where activations lie: values whose lifetimes overlap get bytes of their own, the others share them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace linnet::cpu {

/// `size` bytes that must stay from step `first` to step `last`, both included.
struct Lifetime {
  std::int64_t size;
  int first;
  int last;
};

struct Placement {
  std::vector<std::int64_t> offsets;  ///< in bytes, one a lifetime, on cache-line boundaries
  std::int64_t size = 0;              ///< in bytes: the largest end
};

/// n rounded up to whole cache lines.
std::int64_t whole_lines(std::int64_t n);

/// Largest first, each at the lowest offset where it meets nothing that lives at the same time. (Pisarchyk
/// and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020: greedy by size.)
Placement place(std::span<const Lifetime> lifetimes);

/// Uninitialised bytes on a cache-line boundary.
class Workspace {
 public:
  Workspace() = default;
  /// Errors: the machine does not have that much.
  static Result<Workspace> allocate(std::int64_t bytes);
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace linnet::cpu
