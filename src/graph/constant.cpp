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

std::size_t size_of(ElementType type) { return type == ElementType::kInt8 ? 1 : 4; }

}  // namespace

std::string_view to_string(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return "float32";
    case ElementType::kInt8: return "int8";
    case ElementType::kInt32: return "int32";
  }
  return "";
}

Constant::Constant(std::vector<int> dims, ElementType type, const void* data, std::size_t size,
                   std::shared_ptr<const void> owner)
    : dims_(std::move(dims)), type_(type), data_(data), size_(size), owner_(std::move(owner)) {
  assert(size_ == product(dims_));
}

Constant::Constant(std::vector<int> dims, AlignedVector<float> values)
    : Constant(own(std::move(dims), std::move(values))) {}

Constant::Constant(std::vector<int> dims, std::span<const float> values, std::shared_ptr<const void> owner)
    : Constant(std::move(dims), ElementType::kFloat32, values.data(), values.size(), std::move(owner)) {}

void Constant::check([[maybe_unused]] ElementType type) const { assert(absent() || type_ == type); }

std::span<const std::byte> Constant::bytes() const {
  return {static_cast<const std::byte*>(data_), size_ * size_of(type_)};
}

bool operator==(const Constant& a, const Constant& b) {
  return a.dims_ == b.dims_ && a.type_ == b.type_ &&
         (a.data_ == b.data_ || (a.data_ && b.data_ && std::memcmp(a.data_, b.data_, a.bytes().size()) == 0));
}

std::string to_string(const Constant& constant) {
  return fmt::format("[{}]", fmt::join(constant.dims(), ", "));
}

}  // namespace linnet
