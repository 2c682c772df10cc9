// A verified .tflite file: its tables, and its constants as float32, int8 and int32.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/result.h"
#include "graph/constant.h"
#include "tflite_schema_generated.h"

namespace linnet::formats::tflite {

namespace schema = tflite_schema;

/// A constant. A scalar has no dimensions.
template <class T>
struct TypedArray {
  std::vector<int> dims;
  std::span<const T> values;
  std::shared_ptr<const void> owner;
};
/// Converted to float32 where the file has float16.
using Array = TypedArray<float>;

/// How a tensor's stored values stand for real ones. 128 is off the zero point of a uint8 tensor.
struct Scales {
  std::span<const float> values;  ///< one, or one a slice of `axis`; in the file
  int zero_point = 0;             ///< in [-128, 127]; 0 for an int32 tensor
  int axis = 0;                   ///< where there are several
};

class ModelFile {
 public:
  /// `bytes` start on an address that is a multiple of 16, and live as long as `owner`.
  static Result<ModelFile> open(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                std::string name);

  const std::string& name() const { return name_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  const schema::Model& model() const { return *model_; }
  const schema::SubGraph& graph() const { return *model_->subgraphs()->Get(0); }

  /// Null where the index is outside: -1 marks an optional input that is absent.
  const schema::Tensor* tensor(int index) const;
  /// The tensor's name for people: its own, or "tensor 7".
  std::string tensor_name(int index) const;
  /// Sizes of the tensor. Errors: a size below 1, an absurd number of values, a size that is not fixed
  /// (the first may be free: it is the batch, which then counts as one).
  Result<std::vector<int>> dims(int index) const;

  /// True if the tensor has values in the file.
  bool is_constant(int index) const;
  /// Whether the tensor holds int8 or uint8.
  bool is_byte(int index) const;
  /// A float32 or float16 constant. Errors: other types, a buffer of the wrong length.
  Result<Array> floats(int index);
  /// An int8 constant, or a uint8 one with 128 taken off. Errors: as floats().
  Result<TypedArray<std::int8_t>> int8s(int index);
  /// An int32 constant. Errors: as floats().
  Result<TypedArray<std::int32_t>> int32s(int index);
  /// Of an int8, uint8 or int32 tensor. Errors: other types, no scale, zero points that differ or lie outside
  /// of the type.
  Result<Scales> scales(int index) const;
  /// A constant of int32 or int64. Errors: other types, values beyond int32.
  Result<std::vector<int>> integers(int index) const;
  /// n values to be filled in. Error: together more than a small multiple of the file's size.
  template <class T = float>
  Result<AlignedVector<T>> allocate(std::size_t n) {
    LINNET_CHECK(account(n, sizeof(T)));
    return AlignedVector<T>(n);
  }
  /// The bytes of a buffer, inside or behind the flatbuffer; none where it is empty.
  Result<std::span<const std::byte>> buffer(std::uint32_t index) const;

 private:
  Result<void> account(std::size_t n, std::size_t size);
  /// The bytes of a dense constant of `size` bytes a value, as many as its dimensions ask for.
  Result<std::span<const std::byte>> dense(int index, const std::vector<int>& dims, std::size_t size) const;
  /// In place where it is aligned, copied where not.
  template <class T>
  Result<TypedArray<T>> view_or_copy(std::vector<int> dims, std::span<const std::byte> bytes);

  std::string name_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  const schema::Model* model_ = nullptr;
  std::size_t allocated_ = 0;
};

/// "FLOAT32", or "type 42" for a number that the schema does not know.
std::string type_name(schema::TensorType type);

}  // namespace linnet::formats::tflite
