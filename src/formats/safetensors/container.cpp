#include "formats/safetensors/container.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "formats/metadata/json.h"

namespace linnet::formats {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{16}
                                     << 20;  // a MobileNet's is below 100 KB, with 1000 labels
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kPrefix = 8;
constexpr std::string_view kMetadata = "__metadata__";

/// A non-negative integer that JSON holds exactly.
std::optional<std::uint64_t> natural(const Json& json) {
  if (!json.is_number_unsigned()) return std::nullopt;
  const auto value = json.get<std::uint64_t>();
  return value <= std::uint64_t{1} << 53 ? std::optional(value) : std::nullopt;
}

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string_view name;
};

Result<Tensor> parse_tensor(const Json& entry, std::span<const std::byte> data, Extent& extent) {
  const Json* dtype = find(entry, "dtype");
  const Json* shape = find(entry, "shape");
  const Json* offsets = find(entry, "data_offsets");
  if (!dtype || !shape || !offsets || entry.size() != 3)
    return fail("is {}, expected an object of dtype, shape and data_offsets", shown(entry));

  Tensor tensor;
  const auto type = dtype->is_string() ? parse_dtype(dtype->get_ref<const std::string&>()) : std::nullopt;
  if (!type) return fail("dtype is {}, which is no type that safetensors defines", shown(*dtype));
  tensor.dtype = *type;

  if (!shape->is_array() || shape->size() > kMaxRank)
    return fail("shape is {}, expected at most {} dimensions", shown(*shape), kMaxRank);
  for (const Json& dim : *shape) {
    const auto value = natural(dim);
    if (!value) return fail("shape is {}, expected whole numbers", shown(*shape));
    tensor.dims.push_back(static_cast<std::int64_t>(*value));
  }

  const bool pair = offsets->is_array() && offsets->size() == 2;
  const auto begin = pair ? natural((*offsets)[0]) : std::nullopt;
  const auto end = pair ? natural((*offsets)[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || *end > data.size())
    return fail(
        "data_offsets is {}, expected [begin, end] within the {} bytes of data; the file is truncated or "
        "damaged",
        shown(*offsets), data.size());
  const auto expected = checked_bytes(tensor.dtype, tensor.dims, data.size());
  if (expected != *end - *begin)
    return fail("{} does not fill its {} bytes of data", describe(tensor), *end - *begin);
  extent.begin = *begin;
  extent.end = *end;
  tensor.bytes = data.subspan(*begin, *end - *begin);
  return tensor;
}

Result<void> check_no_gaps(std::vector<Extent> extents, std::uint64_t size) {
  std::ranges::sort(extents, [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Extent& e : extents) {
    if (e.begin != at)
      return fail(
          "tensor \"{}\" begins at byte {} of the data, {} the end of the one before it ({}); the file is "
          "damaged",
          e.name, e.begin, e.begin < at ? "before" : "after", at);
    at = e.end;
  }
  if (at != size) return fail("{} bytes of data belong to no tensor; the file is damaged", size - at);
  return {};
}

Result<Json> parse_header(std::span<const std::byte> bytes, std::uint64_t& header_size) {
  if (bytes.size() < kPrefix)
    return fail("{} bytes are too few for a safetensors file; it is truncated or something else",
                bytes.size());
  std::memcpy(&header_size, bytes.data(), kPrefix);
  if (header_size > kMaxHeader)
    return fail("is not a safetensors file, or damaged: its header would be {} bytes, Linnet allows {}",
                header_size, kMaxHeader);
  if (header_size > bytes.size() - kPrefix)
    return fail("truncated: the header is {} bytes, but only {} follow", header_size, bytes.size() - kPrefix);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kPrefix, header_size);
  if (!text.starts_with('{')) return fail("is not a safetensors file: its header does not begin with \"{{\"");
  auto header = parse_json(text);
  if (!header) return fail("header {}", header.error().message);
  return header;
}

}  // namespace

Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                          std::string_view file) {
  std::uint64_t header_size = 0;
  const auto header = parse_header(bytes, header_size);
  if (!header) return fail("{}: {}", file, header.error().message);
  const std::span<const std::byte> data = bytes.subspan(kPrefix + header_size);

  SafetensorsFile result;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header->items()) {
    if (name == kMetadata) {
      if (!entry.is_object()) return fail("{}: {} is {}, expected an object", file, kMetadata, shown(entry));
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string())
          return fail("{}: {}: \"{}\" is {}, expected a string", file, kMetadata, key, shown(value));
        result.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    Extent extent;
    auto tensor = parse_tensor(entry, data, extent);
    if (!tensor) return fail("{}: tensor \"{}\": {}", file, name, tensor.error().message);
    tensor->owner = owner;
    const auto [place, inserted] = result.tensors.emplace(name, *std::move(tensor));
    extent.name = place->first;
    extents.push_back(extent);
  }
  if (const auto checked = check_no_gaps(std::move(extents), data.size()); !checked)
    return fail("{}: {}", file, checked.error().message);
  return result;
}

Result<void> write_safetensors_file(std::span<const NamedConstant> tensors,
                                    const std::map<std::string, std::string, std::less<>>& metadata,
                                    const std::filesystem::path& path) {
  Json header = Json::object();
  if (!metadata.empty()) header[std::string(kMetadata)] = metadata;
  std::vector<std::span<const std::byte>> parts(2);
  std::uint64_t at = 0;
  for (const auto& [name, constant] : tensors) {
    if (name == kMetadata || header.contains(name))
      return fail("{}: the tensor name \"{}\" stands twice", path.string(), name);
    const std::uint64_t end = at + constant.bytes().size();
    header[name] = {{"dtype", to_string(dtype_of(constant.type()))}, {"shape", constant.dims()}, {"data_offsets", {at, end}}};
    parts.push_back(constant.bytes());
    at = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    return fail("{}: a name or a label is not UTF-8, which safetensors demands", path.string());
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxHeader)
    return fail("{}: the header would be {} bytes, Linnet allows {}", path.string(), text.size(), kMaxHeader);
  const std::uint64_t header_size = text.size();
  parts[0] = std::as_bytes(std::span(&header_size, 1));
  parts[1] = std::as_bytes(std::span(text));
  return write_file(path, parts);
}

}  // namespace linnet::formats
