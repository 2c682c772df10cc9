// Constants of an ONNX model as the reader computes with them: dimensions and values, in one of two kinds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

using Dims = std::vector<std::int64_t>;

/// Product of the dimensions, or nothing where one is negative or the product is above 2^40.
std::optional<std::int64_t> element_count(const Dims& dims);
/// "[1, 3, 224, 224]"
std::string to_string(const Dims& dims);

/// How integers were stored. Only those of 8 bits differ in what is done with them.
enum class IntegerKind { kWide, kInt8, kUint8 };

struct QuantizedConstant;

/// An immutable constant. float16, bfloat16 and double became float; integers and bool became int64. Copies
/// share the values.
class Tensor {
 public:
  /// The number of values is the product of `dims`.
  Tensor(Dims dims, std::vector<float> values);
  Tensor(Dims dims, std::vector<std::int64_t> values, IntegerKind kind = IntegerKind::kWide);

  const Dims& dims() const { return dims_; }
  std::size_t size() const { return is_float() ? floats_->size() : ints_->size(); }
  bool is_float() const { return floats_ != nullptr; }
  /// Only where is_float().
  std::span<const float> floats() const { return *floats_; }
  /// Only where not is_float().
  std::span<const std::int64_t> ints() const { return *ints_; }
  /// The one value, as a number of either kind, where there is just one.
  std::optional<double> scalar() const;
  /// Only where not is_float().
  IntegerKind integer_kind() const { return kind_; }
  /// Where the floats are what a DequantizeLinear gives: what it reads. Otherwise nullptr.
  const QuantizedConstant* quantized() const { return quantized_.get(); }
  /// The same values with a note of what they were made from.
  Tensor made_from(QuantizedConstant quantized) const;
  /// The same values under other dimensions with the same product.
  Tensor reshaped(Dims dims) const;

 private:
  Dims dims_;
  std::shared_ptr<const std::vector<float>> floats_;
  std::shared_ptr<const std::vector<std::int64_t>> ints_;
  IntegerKind kind_ = IntegerKind::kWide;
  std::shared_ptr<const QuantizedConstant> quantized_;
};

/// real = (integer - zero_point) * scale; one scale and zero point for all, or as many as `axis` is long.
struct QuantizedConstant {
  Tensor integers;
  std::vector<float> scales;              ///< finite, at least 0
  std::vector<std::int64_t> zero_points;  ///< as many as scales
  std::size_t axis = 0;                   ///< of integers; meaningless with a single scale
};

/// Decodes what a file stores. `folder` is where weights in other files may lie, or empty where there is no
/// such folder. Errors: sizes that do not match the dimensions, kinds of numbers that no float model has, a
/// location outside `folder`.
Result<Tensor> decode(const onnx_schema::TensorProto& proto, const std::filesystem::path& folder);

}  // namespace linnet::formats::onnx
