#include "formats/state_dict/tensor.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/float_formats.h"

namespace linnet::formats {
namespace {

static_assert(std::endian::native == std::endian::little,
              "weights files are little-endian and are viewed in place");

struct DtypeFacts {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<DtypeFacts, 15> kDtypes = {{{"F32", 4},
                                                 {"F16", 2},
                                                 {"BF16", 2},
                                                 {"F64", 8},
                                                 {"I64", 8},
                                                 {"I32", 4},
                                                 {"I16", 2},
                                                 {"I8", 1},
                                                 {"U64", 8},
                                                 {"U32", 4},
                                                 {"U16", 2},
                                                 {"U8", 1},
                                                 {"BOOL", 1},
                                                 {"F8_E4M3", 1},
                                                 {"F8_E5M2", 1}}};

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// Element i of a floating-point tensor.
float element(const Tensor& tensor, std::size_t i) {
  const std::byte* p = tensor.bytes.data() + i * size_of(tensor.dtype);
  switch (tensor.dtype) {
    case Dtype::kF32: return load<float>(p);
    case Dtype::kF16: return float_from_float16(load<std::uint16_t>(p));
    case Dtype::kBf16: return float_from_bfloat16(load<std::uint16_t>(p));
    default: return static_cast<float>(load<double>(p));
  }
}

Result<void> expect_floating_point(const Tensor& tensor) {
  if (tensor.dtype <= Dtype::kF64) return {};
  return fail("holds {}, but weights are F32, F16, BF16 or F64; save the float model",
              to_string(tensor.dtype));
}

std::size_t count(const Tensor& tensor) { return tensor.bytes.size() / size_of(tensor.dtype); }

template <class T>
bool aligned(const Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % alignof(T) == 0;
}

template <class T>
Constant view(const Tensor& tensor, std::vector<int> dims) {
  const std::span<const T> values(reinterpret_cast<const T*>(tensor.bytes.data()), count(tensor));
  return Constant(std::move(dims), values, tensor.owner);
}

template <class T>
Constant view_or_copy(const Tensor& tensor, std::vector<int> dims) {
  if (aligned<T>(tensor)) return view<T>(tensor, std::move(dims));
  AlignedVector<T> values(count(tensor));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return Constant(std::move(dims), std::move(values));
}

/// Whether the axes longer than 1 keep their order, so that the permuted array has the same bytes.
bool moves_nothing(const Tensor& tensor, std::span<const int> order) {
  int last = -1;
  for (const int axis : order) {
    if (tensor.dims[static_cast<std::size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

std::string_view to_string(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)].name; }

std::optional<Dtype> parse_dtype(std::string_view name) {
  for (std::size_t i = 0; i < kDtypes.size(); ++i)
    if (kDtypes[i].name == name) return static_cast<Dtype>(i);
  return std::nullopt;
}

std::size_t size_of(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)].bytes; }

std::optional<std::uint64_t> checked_bytes(Dtype dtype, std::span<const std::int64_t> dims,
                                           std::uint64_t limit) {
  std::uint64_t bytes = size_of(dtype);
  for (const std::int64_t d : dims)
    if (d < 0) return std::nullopt;
  for (const std::int64_t d : dims) {
    if (d == 0) return 0;
    if (bytes > limit / static_cast<std::uint64_t>(d)) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(d);
  }
  return bytes <= limit ? std::optional(bytes) : std::nullopt;
}

std::string describe(const Tensor& tensor) {
  return fmt::format("{} [{}]", to_string(tensor.dtype), fmt::join(tensor.dims, ", "));
}

Dtype dtype_of(ElementType type) {
  switch (type) {
    case ElementType::kInt8: return Dtype::kI8;
    case ElementType::kInt32: return Dtype::kI32;
    case ElementType::kFloat32: break;
  }
  return Dtype::kF32;
}

Result<Constant> to_stored_constant(const Tensor& tensor, std::vector<int> dims) {
  if (tensor.dtype == Dtype::kI8) return view_or_copy<std::int8_t>(tensor, std::move(dims));
  if (tensor.dtype == Dtype::kI32) return view_or_copy<std::int32_t>(tensor, std::move(dims));
  return to_constant(tensor, std::move(dims));
}

Result<Constant> to_constant(const Tensor& tensor, std::vector<int> dims) {
  LINNET_CHECK(expect_floating_point(tensor));
  if (tensor.dtype == Dtype::kF32) return view_or_copy<float>(tensor, std::move(dims));
  AlignedVector<float> values(count(tensor));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = element(tensor, i);
  return Constant(std::move(dims), std::move(values));
}

Result<Constant> to_constant(const Tensor& tensor, std::span<const int> order, std::vector<int> dims) {
  LINNET_CHECK(expect_floating_point(tensor));
  assert(order.size() == tensor.dims.size());
  if (moves_nothing(tensor, order)) return to_constant(tensor, std::move(dims));

  // stride[i] is how far one step along axis i of the result moves in the tensor.
  std::vector<std::size_t> source(order.size(), 1);
  for (std::size_t i = order.size(); i-- > 1;)
    source[i - 1] = source[i] * static_cast<std::size_t>(tensor.dims[i]);
  std::vector<std::size_t> stride;
  std::vector<std::size_t> length;
  for (const int axis : order) {
    stride.push_back(source[static_cast<std::size_t>(axis)]);
    length.push_back(static_cast<std::size_t>(tensor.dims[static_cast<std::size_t>(axis)]));
  }
  AlignedVector<float> values(count(tensor));
  std::vector<std::size_t> at(order.size(), 0);
  std::size_t from = 0;
  for (float& value : values) {
    value = element(tensor, from);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      from += stride[axis];
      if (++at[axis] < length[axis]) break;
      from -= stride[axis] * length[axis];
      at[axis] = 0;
    }
  }
  return Constant(std::move(dims), std::move(values));
}

}  // namespace linnet::formats
