// The weights of a graph.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"

namespace linnet {

/// An immutable float32 array with its dimensions. Copies share the values, so copying a Graph is cheap; the
/// values may lie in a memory-mapped file. A default-constructed Constant is absent (a convolution without a
/// bias).
class Constant {
 public:
  Constant() = default;
  /// Owns `values`; their number is the product of `dims`.
  Constant(std::vector<int> dims, AlignedVector<float> values);
  /// Views `values`, which `owner` keeps alive.
  Constant(std::vector<int> dims, std::span<const float> values, std::shared_ptr<const void> owner);

  bool absent() const { return dims_.empty(); }
  const std::vector<int>& dims() const { return dims_; }
  std::span<const float> values() const { return values_; }
  std::size_t size() const { return values_.size(); }

  /// Same dimensions and the same bits.
  friend bool operator==(const Constant& a, const Constant& b);

 private:
  std::vector<int> dims_;
  std::span<const float> values_;
  std::shared_ptr<const void> owner_;
};

/// "[32, 3, 3, 3]"
std::string to_string(const Constant& constant);

}  // namespace linnet
