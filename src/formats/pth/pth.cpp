#include "formats/pth/pth.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <unordered_map>

#include "base/file.h"
#include "formats/pth/archive.h"
#include "formats/pth/pickle.h"
#include "formats/state_dict/state_dict.h"

namespace linnet::formats {
namespace {

using pickle::as;
using pickle::Dict;
using pickle::Machine;
using pickle::Storage;
using pickle::TensorView;
using pickle::Value;

constexpr std::uint64_t kMaxPickle = std::uint64_t{64} << 20;  // a MobileNet's is 35 KB

/// The bytes of a storage, and what keeps them alive.
struct Bytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};
using ReadStorage = std::function<Result<Bytes>(const Storage&)>;

// ---- from the pickle's value to the state dict in it

bool holds_tensors(const Dict& dict) {
  return std::ranges::any_of(dict.items, [](const auto& item) { return as<TensorView>(item.second); });
}

Result<const Dict*> find_state_dict(const Value& root) {
  const Dict* dict = as<Dict>(root);
  if (!dict)
    return fail("holds no dictionary of tensors; save the weights with torch.save(model.state_dict(), …)");
  if (holds_tensors(*dict)) return dict;
  for (const std::string_view key : {"state_dict", "model_state_dict", "model"})
    for (const auto& [name, value] : dict->items) {
      const auto* text = std::get_if<std::string_view>(&name);
      const Dict* inner = as<Dict>(value);
      if (text && *text == key && inner && holds_tensors(*inner)) return inner;
    }
  return fail(
      "holds no tensors, nor a dictionary of them under \"state_dict\", \"model_state_dict\" or \"model\"");
}

// ---- from a strided view to a contiguous tensor

bool contiguous(const TensorView& view) {
  std::int64_t expected = 1;
  for (std::size_t i = view.dims.size(); i-- > 0;) {
    if (view.dims[i] != 1 && view.strides[i] != expected) return false;
    expected *= view.dims[i];
  }
  return true;
}

/// Number of elements, or an error where the view leaves its storage or repeats elements so as to exceed it.
Result<std::uint64_t> checked_elements(const TensorView& view) {
  const auto elements = static_cast<std::uint64_t>(view.storage.elements);
  std::uint64_t count = 1;
  for (const std::int64_t d : view.dims) {
    if (d == 0) return 0;
    if (count > elements / static_cast<std::uint64_t>(d))
      return fail("is larger than its storage of {} elements", elements);
    count *= static_cast<std::uint64_t>(d);
  }
  std::uint64_t last = static_cast<std::uint64_t>(view.offset);
  for (std::size_t i = 0; i < view.dims.size(); ++i) {
    const auto steps = static_cast<std::uint64_t>(view.dims[i] - 1);
    const auto stride = static_cast<std::uint64_t>(view.strides[i]);
    if (steps != 0 && stride > elements / steps) return fail("leaves its storage of {} elements", elements);
    last += steps * stride;  // at most 8 axes of at most `elements`, which bytes in memory bound
    if (last >= elements) return fail("leaves its storage of {} elements", elements);
  }
  if (last >= elements) return fail("leaves its storage of {} elements", elements);
  return count;
}

Result<Tensor> make_tensor(const TensorView& view, const ReadStorage& read_storage) {
  LINNET_TRY(const std::uint64_t count, checked_elements(view));
  LINNET_TRY(const Bytes storage, read_storage(view.storage));
  Tensor tensor{view.storage.dtype, view.dims, {}, nullptr};
  const std::size_t size = size_of(tensor.dtype);
  if (count == 0) return tensor;
  if (contiguous(view)) {
    tensor.bytes = storage.bytes.subspan(static_cast<std::size_t>(view.offset) * size, count * size);
    tensor.owner = storage.owner;
    return tensor;
  }
  auto copy = std::make_shared<AlignedVector<std::byte>>(count * size);
  std::vector<std::int64_t> at(view.dims.size(), 0);
  std::int64_t from = view.offset;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(copy->data() + i * size, storage.bytes.data() + static_cast<std::size_t>(from) * size, size);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      from += view.strides[axis];
      if (++at[axis] < view.dims[axis]) break;
      from -= view.strides[axis] * view.dims[axis];
      at[axis] = 0;
    }
  }
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return tensor;
}

Result<TensorMap> make_tensors(const Dict& dict, const ReadStorage& read_storage) {
  TensorMap tensors;
  for (const auto& [key, value] : dict.items) {
    const auto* name = std::get_if<std::string_view>(&key);
    const auto* view = as<TensorView>(value);
    if (!view) continue;  // a checkpoint's epoch, say
    if (!name) return fail("a tensor has no name; the file is damaged");
    auto tensor = make_tensor(*view, read_storage);
    if (!tensor) return fail("tensor \"{}\" {}", *name, tensor.error().message);
    if (!tensors.emplace(*name, *std::move(tensor)).second)
      return fail("the tensor \"{}\" stands twice", *name);
  }
  return tensors;
}

// ---- the zip form

Result<TensorMap> read_zip(std::span<const std::byte> file) {
  LINNET_TRY(const Archive archive, Archive::open(file));
  if (archive.contains("byteorder")) {
    LINNET_TRY(const auto order, archive.read("byteorder", 16));
    if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little")
      return fail("was saved on a big-endian machine; save it again on a little-endian one");
  }
  LINNET_TRY(const auto bytes, archive.read("data.pkl", std::min<std::uint64_t>(kMaxPickle, file.size())));
  Machine machine(bytes);
  LINNET_TRY(const Value root, machine.run());
  LINNET_TRY(const Dict* const dict, find_state_dict(root));

  std::unordered_map<std::string, Bytes> storages;
  std::uint64_t left =
      file.size();  // stored entries cannot hold more than the file, however often they overlap
  return make_tensors(*dict, [&](const Storage& storage) -> Result<Bytes> {
    if (storage.view_offset != 0)
      return fail("is a view into another storage, which this form does not have");
    const std::int64_t dims[] = {storage.elements};
    const auto expected = checked_bytes(storage.dtype, dims, file.size());
    auto found = storages.find(storage.key);
    if (found == storages.end()) {
      auto read = archive.read("data/" + storage.key, left);
      if (!read) return fail("has no data: {}", read.error().message);
      left -= read->size();
      auto owner = std::make_shared<const AlignedVector<std::byte>>(*std::move(read));
      found = storages.emplace(storage.key, Bytes{*owner, owner}).first;
    }
    if (expected != found->second.bytes.size())
      return fail("says that its storage has {} elements of {}, but there are {} bytes", storage.elements,
                  to_string(storage.dtype), found->second.bytes.size());
    return found->second;
  });
}

// ---- the form before PyTorch 1.6: a magic number, a version, the machine's sizes, the object and the
// storages' keys, each a pickle, then the storages' data (torch/serialization.py, _legacy_save)

constexpr std::string_view kLegacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

Result<TensorMap> read_legacy(std::span<const std::byte> file) {
  Machine machine(file.first(std::min<std::uint64_t>(file.size(), kMaxPickle)));
  Value root;
  for (int pickles = 0; pickles < 4; ++pickles) {
    LINNET_TRY(root, machine.run());
  }
  LINNET_TRY(const Dict* const dict, find_state_dict(root));
  LINNET_TRY(const Value keys, machine.run());
  const auto* list = as<pickle::Sequence>(keys);
  if (!list) return fail("has no list of storages; the file is damaged");

  // Every storage's length in elements precedes its data; its type stands in the tensors alone.
  std::unordered_map<std::string_view, Dtype> dtypes;
  for (const auto& [name, value] : dict->items)
    if (const auto* view = as<TensorView>(value)) dtypes.emplace(view->storage.key, view->storage.dtype);
  std::unordered_map<std::string_view, std::span<const std::byte>> storages;
  std::span<const std::byte> data =
      file.subspan(file.size() - (file.size() - (machine.rest().data() - file.data())));
  for (const Value& item : list->items) {
    const auto* key = std::get_if<std::string_view>(&item);
    const auto dtype = key ? dtypes.find(*key) : dtypes.end();
    if (dtype == dtypes.end())
      return fail(
          "holds storages that belong to no tensor of the state dict (an optimizer's, say); save the weights "
          "alone with torch.save(model.state_dict(), …)");
    std::uint64_t elements = 0;
    if (data.size() < sizeof elements) return fail("is truncated before storage \"{}\"", *key);
    std::memcpy(&elements, data.data(), sizeof elements);
    data = data.subspan(sizeof elements);
    if (elements > data.size() / size_of(dtype->second)) return fail("is truncated in storage \"{}\"", *key);
    const std::size_t size = elements * size_of(dtype->second);
    storages.emplace(*key, data.first(size));
    data = data.subspan(size);
  }
  const auto copy = std::make_shared<std::vector<AlignedVector<std::byte>>>();
  return make_tensors(*dict, [&](const Storage& storage) -> Result<Bytes> {
    const auto found = storages.find(storage.key);
    if (found == storages.end()) return fail("has no data under the key \"{}\"", storage.key);
    const std::size_t size = size_of(storage.dtype);
    const std::uint64_t held = found->second.size() / size;
    const auto offset = static_cast<std::uint64_t>(storage.view_offset);
    const auto elements = static_cast<std::uint64_t>(storage.elements);
    if (offset > held || elements > held - offset || dtypes.at(storage.key) != storage.dtype)
      return fail("does not fit its storage of {} elements", held);
    const auto bytes = found->second.subspan(offset * size, elements * size);
    auto owner = std::make_shared<const AlignedVector<std::byte>>(bytes.begin(), bytes.end());
    return Bytes{*owner, owner};
  });
}

bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

}  // namespace

Result<TensorMap> parse_pth_tensors(std::span<const std::byte> bytes, std::string_view file) {
  const auto read = [&]() -> Result<TensorMap> {
    if (begins_with(bytes, "PK\x03\x04")) return read_zip(bytes);
    if (begins_with(bytes, kLegacyMagic)) return read_legacy(bytes);
    return fail("is not a file that torch.save() wrote, or it is truncated");
  };
  auto tensors = read();
  if (!tensors) return fail("{}: {}", file, tensors.error().message);
  return tensors;
}

Result<TensorMap> read_pth_tensors(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  return parse_pth_tensors(file.bytes(), path.string());
}

Result<Graph> read_pth(const std::filesystem::path& path) {
  LINNET_TRY(const TensorMap tensors, read_pth_tensors(path));
  return graph_from_state_dict(tensors, path.string(), hints_from_name(path));
}

}  // namespace linnet::formats
