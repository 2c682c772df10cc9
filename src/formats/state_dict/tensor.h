// Named tensors as a weights file holds them, before anyone knows which network they belong to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/constant.h"

namespace linnet::formats {

/// Element types by their safetensors names; weights are the first four.
enum class Dtype {
  kF32,
  kF16,
  kBf16,
  kF64,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool,
  kF8E4M3,
  kF8E5M2
};

/// "F32", "BF16", …
std::string_view to_string(Dtype dtype);
std::optional<Dtype> parse_dtype(std::string_view name);
/// Bytes an element.
std::size_t size_of(Dtype dtype);

/// A contiguous row-major array, little-endian, at any alignment. `owner` keeps `bytes` alive.
struct Tensor {
  Dtype dtype = Dtype::kF32;
  std::vector<std::int64_t> dims;  ///< each >= 0; none for a scalar
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Name to tensor, in the order of the names.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

/// Bytes of a tensor of these dimensions, or nothing if a dimension is negative or the product exceeds
/// `limit`.
std::optional<std::uint64_t> checked_bytes(Dtype dtype, std::span<const std::int64_t> dims,
                                           std::uint64_t limit);

/// "F32 [32, 3, 3, 3]"
std::string describe(const Tensor& tensor);

/// The element type of a Constant as a file spells it.
Dtype dtype_of(ElementType type);

/// The values as they are stored, I8 and I32 as integers, where to_constant() would refuse them. A view where
/// they are aligned, else a copy.
Result<Constant> to_stored_constant(const Tensor& tensor, std::vector<int> dims);

/// The values as float32 under new dimensions of the same product: a view of the tensor's own bytes where
/// these are aligned float32, else a conversion (F16 and BF16 exactly, F64 rounded). Errors: not a
/// floating-point tensor.
Result<Constant> to_constant(const Tensor& tensor, std::vector<int> dims);

/// The same with the axes permuted: axis i of the result is axis order[i] of the tensor. A view where the
/// permutation moves nothing but axes of length 1.
Result<Constant> to_constant(const Tensor& tensor, std::span<const int> order, std::vector<int> dims);

}  // namespace linnet::formats
