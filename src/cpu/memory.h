// Where activations lie: values whose lifetimes overlap get bytes of their own, the others share them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace linnet::cpu {

/// `size` floats that must stay from step `first` to step `last`, both included.
struct Lifetime {
  std::int64_t size;
  int first;
  int last;
};

struct Placement {
  std::vector<std::int64_t> offsets;  ///< in floats, one a lifetime, on cache-line boundaries
  std::int64_t size = 0;              ///< in floats: the largest end
};

/// Largest first, each at the lowest offset where it meets nothing that lives at the same time. (Pisarchyk
/// and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020: greedy by size.)
Placement place(std::span<const Lifetime> lifetimes);

/// Uninitialised floats on a cache-line boundary.
class Workspace {
 public:
  Workspace() = default;
  /// Errors: the machine does not have that much.
  static Result<Workspace> allocate(std::int64_t floats);
  float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
};

}  // namespace linnet::cpu
