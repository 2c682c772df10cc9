#include "formats/tflite/model_file.h"

#include <bit>
#include <cstring>
#include <limits>

#include "base/float_formats.h"

static_assert(std::endian::native == std::endian::little,
              ".tflite files are little-endian; so is every target of Linnet");

namespace linnet::formats::tflite {
namespace {

// A MobileNet has some hundred tables, nested five deep.
constexpr flatbuffers::uoffset_t kMaxDepth = 16;
constexpr flatbuffers::uoffset_t kMaxTables = 100'000;
constexpr std::size_t kMaxValues = std::size_t{1} << 30;
constexpr std::size_t kMinBytes = 16;

std::size_t product(const std::vector<int>& dims) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  return n;
}

/// The verifier sees to it that a vector lies on four bytes, not that its elements lie on their eight.
std::int64_t element(const flatbuffers::Vector<std::int64_t>& vector, std::uint32_t i) {
  std::int64_t value;
  std::memcpy(&value, vector.Data() + i * sizeof value, sizeof value);
  return value;
}

template <class T>
TypedArray<T> owning(std::vector<int> dims, AlignedVector<T> values) {
  auto owner = std::make_shared<const AlignedVector<T>>(std::move(values));
  const std::span<const T> view = *owner;
  return {std::move(dims), view, std::move(owner)};
}

}  // namespace

std::string type_name(schema::TensorType type) {
  const std::string_view name = schema::EnumNameTensorType(type);
  return name.empty() ? fmt::format("type {}", static_cast<int>(type)) : std::string(name);
}

Result<ModelFile> ModelFile::open(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                  std::string name) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() < kMinBytes)
    return fail("{}: {} bytes are too short for a TFLite model", name, bytes.size());
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return fail("{}: {} bytes are more than TFLite's 2 GiB", name, bytes.size());
  if (!schema::ModelBufferHasIdentifier(data))
    return fail(
        "{}: not a TFLite model (bytes 4 to 7 are not \"TFL3\"); is it another format, or a download's error "
        "page?",
        name);
  flatbuffers::Verifier::Options limits;
  limits.max_depth = kMaxDepth;
  limits.max_tables = kMaxTables;
  flatbuffers::Verifier verifier(data, bytes.size(), limits);
  if (!schema::VerifyModelBuffer(verifier))
    return fail("{}: the file is damaged or cut short: an offset leads out of its {} bytes; fetch it again",
                name, bytes.size());

  ModelFile file;
  file.name_ = std::move(name);
  file.bytes_ = bytes;
  file.owner_ = std::move(owner);
  file.model_ = schema::GetModel(data);
  if (file.model_->version() != 3)
    return fail("{}: schema version {}; Linnet reads version 3, which every TFLite of the last years writes",
                file.name_, file.model_->version());
  if (!file.model_->subgraphs() || file.model_->subgraphs()->size() == 0)
    return fail("{}: the model holds no graph; the file is damaged", file.name_);
  if (!file.graph().tensors() || !file.graph().operators())
    return fail("{}: the graph holds no operators; the file is damaged", file.name_);
  return file;
}

const schema::Tensor* ModelFile::tensor(int index) const {
  const auto& tensors = *graph().tensors();
  if (index < 0 || static_cast<std::uint32_t>(index) >= tensors.size()) return nullptr;
  return tensors.Get(static_cast<std::uint32_t>(index));
}

std::string ModelFile::tensor_name(int index) const {
  const schema::Tensor* t = tensor(index);
  if (!t || !t->name() || t->name()->size() == 0) return fmt::format("tensor {}", index);
  // Where the converter fused several operators it joins all their names; the first says enough.
  const std::string_view all = t->name()->string_view();
  std::string name(all.substr(0, all.find(';')));
  for (char& c : name)
    if (c < ' ' || c > '~') c = '_';
  return name.empty() ? fmt::format("tensor {}", index) : name;
}

Result<std::vector<int>> ModelFile::dims(int index) const {
  const schema::Tensor* t = tensor(index);
  if (!t) return fail("tensor {} does not exist; the file is damaged", index);
  const auto* shape = t->shape();
  if (const auto* signature = t->shape_signature())
    for (std::uint32_t i = 1; i < signature->size(); ++i)
      if (signature->Get(i) < 0)
        return fail("dimension {} of \"{}\" is not fixed; export the model with a fixed input size", i,
                    tensor_name(index));
  std::vector<int> dims;
  std::size_t values = 1;
  for (std::uint32_t i = 0; shape && i < shape->size(); ++i) {
    const int size = shape->Get(i);
    if (size < 1) return fail("\"{}\" has a dimension of {}; the file is damaged", tensor_name(index), size);
    values *= static_cast<std::size_t>(size);  // below 2^30 * 2^31
    if (values > kMaxValues) return fail("\"{}\" has more than {} values", tensor_name(index), kMaxValues);
    dims.push_back(size);
  }
  if (dims.size() > 8)
    return fail("\"{}\" has {} dimensions; Linnet has at most 8", tensor_name(index), dims.size());
  return dims;
}

bool ModelFile::is_constant(int index) const {
  const schema::Tensor* t = tensor(index);
  if (!t || t->buffer() == 0) return false;
  const auto bytes = buffer(t->buffer());
  return bytes && !bytes->empty();
}

Result<std::span<const std::byte>> ModelFile::buffer(std::uint32_t index) const {
  const auto* buffers = model_->buffers();
  if (!buffers || index >= buffers->size())
    return fail("buffer {} does not exist; the file is damaged", index);
  const schema::Buffer* b = buffers->Get(index);
  if (b->offset() > 1) {  // behind the flatbuffer: how files above 2 GiB are written, and small ones may be
    if (b->offset() > bytes_.size() || b->size() > bytes_.size() - b->offset())
      return fail("buffer {} lies outside of the file (bytes {} + {} of {}); the file is damaged", index,
                  b->offset(), b->size(), bytes_.size());
    return bytes_.subspan(b->offset(), b->size());
  }
  if (!b->data()) return std::span<const std::byte>{};
  return std::as_bytes(std::span(b->data()->data(), b->data()->size()));
}

bool ModelFile::is_byte(int index) const {
  const schema::Tensor* t = tensor(index);
  return t && (t->type() == schema::TensorType::INT8 || t->type() == schema::TensorType::UINT8);
}

Result<void> ModelFile::account(std::size_t n, std::size_t size) {
  // Half floats double, a transposed or copied weight is as large as itself: several times the file is never
  // needed.
  const std::size_t limit = 4 * bytes_.size() + (std::size_t{1} << 20);
  if (n > (limit - allocated_) / size)
    return fail("its constants unfold to more than {} bytes; the same one is used over and over", limit);
  allocated_ += n * size;
  return {};
}

Result<std::span<const std::byte>> ModelFile::dense(int index, const std::vector<int>& sizes,
                                                    std::size_t size) const {
  const schema::Tensor& t = *tensor(index);
  if (t.sparsity()) return fail("\"{}\" is sparse; export the model with dense weights", tensor_name(index));
  LINNET_TRY(const std::span<const std::byte> bytes, buffer(t.buffer()));
  const std::size_t n = product(sizes);
  if (bytes.size() != n * size)
    return fail("\"{}\" has {} values but {} bytes; the file is damaged", tensor_name(index), n,
                bytes.size());
  return bytes;
}

template <class T>
Result<TypedArray<T>> ModelFile::view_or_copy(std::vector<int> sizes, std::span<const std::byte> bytes) {
  const std::size_t n = bytes.size() / sizeof(T);
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0)
    return TypedArray<T>{std::move(sizes), {reinterpret_cast<const T*>(bytes.data()), n}, owner_};
  LINNET_TRY(AlignedVector<T> values, allocate<T>(n));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return owning(std::move(sizes), std::move(values));
}

Result<Array> ModelFile::floats(int index) {
  LINNET_TRY(std::vector<int> sizes, dims(index));
  const schema::TensorType type = tensor(index)->type();
  const bool half = type == schema::TensorType::FLOAT16;
  if (is_byte(index) || type == schema::TensorType::INT16 || type == schema::TensorType::INT4)
    return fail(
        "\"{}\" is {} in a layer of float values: only the weights are quantised. Convert the model with "
        "full "
        "integer quantisation, which takes sample pictures, or export the float model",
        tensor_name(index), type_name(type));
  if (!half && type != schema::TensorType::FLOAT32)
    return fail("\"{}\" is {}; Linnet reads float32 and float16 weights", tensor_name(index),
                type_name(type));
  LINNET_TRY(const std::span<const std::byte> stored, dense(index, sizes, half ? 2 : 4));
  if (!half) return view_or_copy<float>(std::move(sizes), stored);
  LINNET_TRY(AlignedVector<float> values, allocate(stored.size() / 2));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, stored.data() + i * 2, 2);
    values[i] = float_from_float16(bits);
  }
  return owning(std::move(sizes), std::move(values));
}

Result<TypedArray<std::int8_t>> ModelFile::int8s(int index) {
  LINNET_TRY(std::vector<int> sizes, dims(index));
  if (!is_byte(index))
    return fail("\"{}\" is {}; a quantised layer has INT8 or UINT8 weights", tensor_name(index),
                type_name(tensor(index)->type()));
  LINNET_TRY(const std::span<const std::byte> stored, dense(index, sizes, 1));
  if (tensor(index)->type() == schema::TensorType::INT8)
    return view_or_copy<std::int8_t>(std::move(sizes), stored);
  LINNET_TRY(AlignedVector<std::int8_t> values, allocate<std::int8_t>(stored.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::int8_t>(std::to_integer<int>(stored[i]) - 128);
  return owning(std::move(sizes), std::move(values));
}

Result<TypedArray<std::int32_t>> ModelFile::int32s(int index) {
  LINNET_TRY(std::vector<int> sizes, dims(index));
  if (tensor(index)->type() != schema::TensorType::INT32)
    return fail("\"{}\" is {}; a quantised layer has an INT32 bias", tensor_name(index),
                type_name(tensor(index)->type()));
  LINNET_TRY(const std::span<const std::byte> stored, dense(index, sizes, 4));
  return view_or_copy<std::int32_t>(std::move(sizes), stored);
}

Result<Scales> ModelFile::scales(int index) const {
  const schema::Tensor* t = tensor(index);
  if (!t) return fail("tensor {} does not exist; the file is damaged", index);
  std::int64_t lowest = 0, highest = 0;
  switch (t->type()) {
    case schema::TensorType::INT8: lowest = -128, highest = 127; break;
    case schema::TensorType::UINT8: highest = 255; break;
    case schema::TensorType::INT32: break;
    default:
      return fail(
          "\"{}\" is {} in a quantised model; Linnet reads models whose values are INT8 or UINT8 throughout: "
          "convert the model with full integer quantisation of 8 bits",
          tensor_name(index), type_name(t->type()));
  }
  const auto* q = t->quantization();
  if (!q || !q->scale() || q->scale()->size() == 0)
    return fail("\"{}\" is {} without a scale; convert the model with full integer quantisation",
                tensor_name(index), type_name(t->type()));
  const auto* zeros = q->zero_point();
  const std::uint32_t n = q->scale()->size();
  if (zeros && zeros->size() != 1 && zeros->size() != n)
    return fail("\"{}\" has {} scales but {} zero points; the file is damaged", tensor_name(index), n,
                zeros->size());
  const std::int64_t first = zeros ? element(*zeros, 0) : 0;
  for (std::uint32_t i = 0; zeros && i < zeros->size(); ++i) {
    const std::int64_t zero = element(*zeros, i);
    if (zero < lowest || zero > highest)
      return fail("\"{}\" has the zero point {}, which {} cannot hold; the file is damaged",
                  tensor_name(index), zero, type_name(t->type()));
    if (zero != first)
      return fail("\"{}\" has zero points {} and {}; Linnet has one for all of a layer's weights",
                  tensor_name(index), first, zero);
  }
  const bool shifted = t->type() == schema::TensorType::UINT8;
  return Scales{std::span(q->scale()->data(), n), static_cast<int>(first) - (shifted ? 128 : 0),
                q->quantized_dimension()};
}

Result<std::vector<int>> ModelFile::integers(int index) const {
  LINNET_TRY(const std::vector<int> sizes, dims(index));
  const schema::Tensor& t = *tensor(index);
  const bool wide = t.type() == schema::TensorType::INT64;
  if (!wide && t.type() != schema::TensorType::INT32)
    return fail("\"{}\" is {}, expected integers", tensor_name(index), type_name(t.type()));
  LINNET_TRY(const std::span<const std::byte> bytes, buffer(t.buffer()));
  const std::size_t n = product(sizes);
  if (bytes.empty())
    return fail("\"{}\" is computed by the model; Linnet needs it as a constant", tensor_name(index));
  if (n > 64 || bytes.size() != n * (wide ? 8 : 4))
    return fail("\"{}\" has {} values but {} bytes; the file is damaged", tensor_name(index), n,
                bytes.size());
  std::vector<int> values;
  for (std::size_t i = 0; i < n; ++i) {
    std::int64_t value = 0;
    if (wide) {
      std::memcpy(&value, bytes.data() + i * 8, 8);
    } else {
      std::int32_t narrow;
      std::memcpy(&narrow, bytes.data() + i * 4, 4);
      value = narrow;
    }
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max())
      return fail("\"{}\" holds {}, beyond any size; the file is damaged", tensor_name(index), value);
    values.push_back(static_cast<int>(value));
  }
  return values;
}

}  // namespace linnet::formats::tflite
