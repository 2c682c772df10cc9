// A verified .tflite file: its tables, and its constants as float32.
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

/// A constant as the file holds it, converted to float32 where it was float16. A scalar has no dimensions.
struct Array {
  std::vector<int> dims;
  std::span<const float> values;
  std::shared_ptr<const void> owner;
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
  /// A float32 or float16 constant. Errors: other types, a buffer of the wrong length.
  Result<Array> floats(int index);
  /// A constant of int32 or int64. Errors: other types, values beyond int32.
  Result<std::vector<int>> integers(int index) const;
  /// n values to be filled in. Error: together more than a small multiple of the file's size.
  Result<AlignedVector<float>> allocate(std::size_t n);
  /// The bytes of a buffer, inside or behind the flatbuffer; none where it is empty.
  Result<std::span<const std::byte>> buffer(std::uint32_t index) const;

 private:
  std::string name_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  const schema::Model* model_ = nullptr;
  std::size_t allocated_ = 0;
};

/// "FLOAT32", or "type 42" for a number that the schema does not know.
std::string type_name(schema::TensorType type);

}  // namespace linnet::formats::tflite
