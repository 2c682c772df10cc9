#include "formats/onnx/tensor.h"

#include <bit>
#include <cassert>
#include <charconv>
#include <cstring>
#include <limits>

#include <fmt/ranges.h>

#include "base/file.h"
#include "base/float_formats.h"

namespace linnet::formats::onnx {

using onnx_schema::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw_data is copied as it stands");

std::optional<std::int64_t> element_count(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t d : dims) {
    if (d < 0 || d > (std::int64_t{1} << 40)) return std::nullopt;
    if (d != 0 && count > (std::int64_t{1} << 40) / d) return std::nullopt;
    count *= d;
  }
  return count;
}

std::string to_string(const Dims& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Tensor::Tensor(Dims dims, std::vector<float> values)
    : dims_(std::move(dims)), floats_(std::make_shared<const std::vector<float>>(std::move(values))) {
  assert(element_count(dims_) == static_cast<std::int64_t>(size()));
}

Tensor::Tensor(Dims dims, std::vector<std::int64_t> values, IntegerKind kind)
    : dims_(std::move(dims)),
      ints_(std::make_shared<const std::vector<std::int64_t>>(std::move(values))),
      kind_(kind) {
  assert(element_count(dims_) == static_cast<std::int64_t>(size()));
}

std::optional<double> Tensor::scalar() const {
  if (size() != 1) return std::nullopt;
  return is_float() ? double{floats()[0]} : static_cast<double>(ints()[0]);
}

Tensor Tensor::made_from(QuantizedConstant quantized) const {
  assert(quantized.integers.dims() == dims_);
  Tensor copy = *this;
  copy.quantized_ = std::make_shared<const QuantizedConstant>(std::move(quantized));
  return copy;
}

namespace {

/// The axis of the new dimensions that is axis `axis` of the old ones, or nothing where there is none.
std::optional<std::size_t> axis_after_reshape(const Dims& from, std::size_t axis, const Dims& to) {
  std::int64_t before = 1, seen = 1;
  for (std::size_t i = 0; i < axis; ++i) before *= from[i];
  for (std::size_t i = 0; i < to.size(); seen *= to[i++])
    if (seen == before && to[i] == from[axis]) return i;
  return std::nullopt;
}

}  // namespace

Tensor Tensor::reshaped(Dims dims) const {
  Tensor copy = *this;
  copy.dims_ = std::move(dims);
  assert(element_count(copy.dims_) == static_cast<std::int64_t>(size()));
  if (!quantized_) return copy;
  QuantizedConstant quantized = *quantized_;
  const auto axis = quantized.scales.size() == 1 ? std::optional(std::size_t{0})
                                                 : axis_after_reshape(dims_, quantized.axis, copy.dims_);
  copy.quantized_ = nullptr;  // of plain floats, where no axis has the scales any more
  if (!axis) return copy;
  quantized.integers = quantized.integers.reshaped(copy.dims_);
  quantized.axis = *axis;
  return copy.made_from(std::move(quantized));
}

namespace {

/// Where a tensor's bytes lie: in the model itself, or in a mapped file that stays open as long as this does.
struct Raw {
  std::span<const std::byte> bytes;
  std::optional<MappedFile> file;
};

Result<std::uint64_t> decimal(std::string_view key, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return fail("external data: {} \"{}\" is not a number", key, text);
  return value;
}

/// True if `path`, with every symbolic link resolved, lies in `folder` or below.
bool inside(const std::filesystem::path& path, const std::filesystem::path& folder) {
  std::error_code error;
  const auto real_path = std::filesystem::weakly_canonical(path, error);
  if (error) return false;
  const auto real_folder = std::filesystem::weakly_canonical(folder, error);
  if (error) return false;
  const auto relative = real_path.lexically_relative(real_folder);
  return !relative.empty() && *relative.begin() != "..";
}

Result<Raw> external_bytes(const TensorProto& proto, const std::filesystem::path& folder) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      LINNET_TRY(offset, decimal("offset", entry.value()));
    }
    if (entry.key() == "length") {
      LINNET_TRY(length, decimal("length", entry.value()));
    }
  }
  if (location.empty()) return fail("its values lie in another file, but the file is not named");
  if (folder.empty())
    return fail("its values lie in the file \"{}\"; read the model from its file, not from memory", location);
  const std::filesystem::path relative(location);
  if (relative.is_absolute() || !inside(folder / relative, folder))
    return fail(
        "its values lie in \"{}\", outside the model's folder; Linnet reads weights from the model's own "
        "folder only",
        location);
  LINNET_TRY(MappedFile file, MappedFile::open(folder / relative));
  const auto bytes = file.bytes();
  if (offset > bytes.size() || (length && *length > bytes.size() - offset))
    return fail("its values lie at byte {} of \"{}\", past the end of that file ({} bytes)", offset, location,
                bytes.size());
  const auto part = bytes.subspan(offset, length.value_or(bytes.size() - offset));
  return Raw{part, std::move(file)};
}

Result<void> expect_count(std::size_t have, std::int64_t count) {
  if (static_cast<std::int64_t>(have) != count)
    return fail("{} values where its dimensions say {}; the file is damaged", have, count);
  return {};
}

/// `count` numbers of type Stored, each converted by `convert`.
template <class Stored, class To, class Convert>
Result<std::vector<To>> from_bytes(std::span<const std::byte> bytes, std::int64_t count, Convert convert) {
  if (bytes.size() / sizeof(Stored) != static_cast<std::size_t>(count) || bytes.size() % sizeof(Stored) != 0)
    return fail("{} bytes where its dimensions say {} values of {} bytes; the file is damaged", bytes.size(),
                count, sizeof(Stored));
  std::vector<To> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = convert(stored);
  }
  return values;
}

template <class To, class Field, class Convert>
Result<std::vector<To>> from_field(const Field& field, std::int64_t count, Convert convert) {
  LINNET_CHECK(expect_count(static_cast<std::size_t>(field.size()), count));
  std::vector<To> values;
  values.reserve(static_cast<std::size_t>(count));
  for (const auto stored : field) values.push_back(convert(stored));
  return values;
}

/// Values of one stored type: from raw bytes, or from the typed field of the message.
template <class Stored, class To, class Field, class Convert, class... Kind>
Result<Tensor> values_of(const std::optional<Raw>& raw, const Field& field, const Dims& dims,
                         std::int64_t count, Convert convert, Kind... kind) {
  LINNET_TRY(std::vector<To> values,
             raw ? from_bytes<Stored, To>(raw->bytes, count, convert)
                 : from_field<To>(field, count, [&](auto v) { return convert(static_cast<Stored>(v)); }));
  return Tensor(dims, std::move(values), kind...);
}

Result<Tensor> decode_values(const TensorProto& proto, const std::filesystem::path& folder) {
  const Dims dims(proto.dims().begin(), proto.dims().end());
  const auto count = element_count(dims);
  if (!count) return fail("dimensions {} are not a size; the file is damaged", to_string(dims));
  std::optional<Raw> raw;
  if (proto.data_location() == TensorProto::EXTERNAL) {
    LINNET_TRY(raw, external_bytes(proto, folder));
  } else if (proto.has_raw_data()) {
    raw = Raw{std::as_bytes(std::span(proto.raw_data())), std::nullopt};
  }
  const auto to_float = [](auto v) { return static_cast<float>(v); };
  const auto to_int = [](auto v) { return std::int64_t{v}; };
  switch (proto.data_type()) {
    case TensorProto::FLOAT: return values_of<float, float>(raw, proto.float_data(), dims, *count, to_float);
    case TensorProto::DOUBLE:
      return values_of<double, float>(raw, proto.double_data(), dims, *count, to_float);
    case TensorProto::FLOAT16:
      return values_of<std::uint16_t, float>(raw, proto.int32_data(), dims, *count, float_from_float16);
    case TensorProto::BFLOAT16:
      return values_of<std::uint16_t, float>(raw, proto.int32_data(), dims, *count, float_from_bfloat16);
    case TensorProto::INT64:
      return values_of<std::int64_t, std::int64_t>(raw, proto.int64_data(), dims, *count, to_int);
    case TensorProto::INT32:
      return values_of<std::int32_t, std::int64_t>(raw, proto.int32_data(), dims, *count, to_int);
    case TensorProto::BOOL:
      return values_of<std::uint8_t, std::int64_t>(raw, proto.int32_data(), dims, *count,
                                                   [](std::uint8_t v) { return std::int64_t{v != 0}; });
    case TensorProto::INT8:
      return values_of<std::int8_t, std::int64_t>(raw, proto.int32_data(), dims, *count, to_int,
                                                  IntegerKind::kInt8);
    case TensorProto::UINT8:
      return values_of<std::uint8_t, std::int64_t>(raw, proto.int32_data(), dims, *count, to_int,
                                                   IntegerKind::kUint8);
    default:
      return fail(
          "holds numbers of ONNX's type {}; Linnet reads float, float16, bfloat16, double, int8, uint8, "
          "int32, int64 and bool (quantize to 8 bits)",
          proto.data_type());
  }
}

}  // namespace

Result<Tensor> decode(const TensorProto& proto, const std::filesystem::path& folder) {
  auto tensor = decode_values(proto, folder);
  if (!tensor) return fail("constant \"{}\": {}", proto.name(), tensor.error().message);
  return tensor;
}

}  // namespace linnet::formats::onnx
