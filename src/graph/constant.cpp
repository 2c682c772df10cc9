#include "graph/constant.h"

#include <cassert>
#include <cstring>
#include <functional>
#include <numeric>

#include <fmt/ranges.h>

namespace linnet {
namespace {

[[maybe_unused]] std::size_t product(const std::vector<int>& dims) {
  return std::accumulate(dims.begin(), dims.end(), std::size_t{1},
                         [](std::size_t n, int d) { return n * static_cast<std::size_t>(d); });
}

}  // namespace

Constant::Constant(std::vector<int> dims, AlignedVector<float> values) : dims_(std::move(dims)) {
  auto owner = std::make_shared<const AlignedVector<float>>(std::move(values));
  values_ = *owner;
  owner_ = std::move(owner);
  assert(values_.size() == product(dims_));
}

Constant::Constant(std::vector<int> dims, std::span<const float> values, std::shared_ptr<const void> owner)
    : dims_(std::move(dims)), values_(values), owner_(std::move(owner)) {
  assert(values_.size() == product(dims_));
}

bool operator==(const Constant& a, const Constant& b) {
  return a.dims_ == b.dims_ && (a.values_.data() == b.values_.data() ||
                                std::memcmp(a.values_.data(), b.values_.data(), a.values_.size_bytes()) == 0);
}

std::string to_string(const Constant& constant) {
  return fmt::format("[{}]", fmt::join(constant.dims(), ", "));
}

}  // namespace linnet
