// The weights of a graph.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/file.h"

namespace linnet {

/// What a Constant holds: float32 everywhere in a float graph; int8 weights and int32 biases in an int8 one.
enum class ElementType { kFloat32, kInt8, kInt32 };

/// "float32", "int8", "int32"
std::string_view to_string(ElementType type);

template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, std::int8_t> || std::same_as<T, std::int32_t>;

template <Element T>
inline constexpr ElementType kElementType = std::same_as<T, float>         ? ElementType::kFloat32
                                            : std::same_as<T, std::int8_t> ? ElementType::kInt8
                                                                           : ElementType::kInt32;

/// An immutable array with its dimensions. Copies share the values, so copying a Graph is cheap; the values
/// may lie in a memory-mapped file. A default-constructed Constant is absent (a convolution without a bias).
class Constant {
 public:
  Constant() = default;
  /// Owns `values`; their number is the product of `dims`.
  Constant(std::vector<int> dims, AlignedVector<float> values);
  template <Element T>
  Constant(std::vector<int> dims, AlignedVector<T> values)
      : Constant(own(std::move(dims), std::move(values))) {}
  /// Views `values`, which `owner` keeps alive.
  Constant(std::vector<int> dims, std::span<const float> values, std::shared_ptr<const void> owner);
  template <Element T>
  Constant(std::vector<int> dims, std::span<const T> values, std::shared_ptr<const void> owner)
      : Constant(std::move(dims), kElementType<T>, values.data(), values.size(), std::move(owner)) {}

  bool absent() const { return dims_.empty(); }
  const std::vector<int>& dims() const { return dims_; }
  ElementType type() const { return type_; }
  std::size_t size() const { return size_; }
  /// Only where T is the element type.
  template <Element T = float>
  std::span<const T> values() const {
    check(kElementType<T>);
    return {static_cast<const T*>(data_), size_};
  }
  /// The values as they lie in memory.
  std::span<const std::byte> bytes() const;

  /// The same dimensions and type without values: what is left once an executor has packed them. values() of
  /// it must not be read.
  Constant without_values() const { return {dims_, type_, nullptr, size_, nullptr}; }
  /// Where the values lie in a mapped file, their memory goes back to the system until they are read again.
  void release_pages() const { linnet::release_pages(owner_, bytes()); }

  /// Same dimensions, same type and the same bits.
  friend bool operator==(const Constant& a, const Constant& b);

 private:
  Constant(std::vector<int> dims, ElementType type, const void* data, std::size_t size,
           std::shared_ptr<const void> owner);
  template <Element T>
  static Constant own(std::vector<int> dims, AlignedVector<T> values) {
    auto owner = std::make_shared<const AlignedVector<T>>(std::move(values));
    const std::span<const T> view = *owner;
    return {std::move(dims), kElementType<T>, view.data(), view.size(), std::move(owner)};
  }
  void check(ElementType type) const;

  std::vector<int> dims_;
  ElementType type_ = ElementType::kFloat32;
  const void* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const void> owner_;
};

/// "[32, 3, 3, 3]"
std::string to_string(const Constant& constant);

}  // namespace linnet
