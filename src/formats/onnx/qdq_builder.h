// Writes small quantised ONNX models as quantisers do, for tests and for the seeds of the fuzzer.
#pragma once

#include <string>
#include <vector>

#include "formats/onnx/model_builder.h"

namespace linnet::formats::onnx {

inline onnx_schema::TensorProto typed_tensor(onnx_schema::TensorProto::DataType type, const Ints& dims,
                                             const Ints& values) {
  onnx_schema::TensorProto tensor;
  for (const auto d : dims) tensor.add_dims(d);
  tensor.set_data_type(type);
  for (const auto v : values) tensor.add_int32_data(static_cast<std::int32_t>(v));
  return tensor;
}

/// A ModelBuilder whose activations and weights are int8, or uint8: 128 more than what is asked for.
class QdqBuilder : public ModelBuilder {
 public:
  using TensorProto = onnx_schema::TensorProto;

  QdqBuilder(int opset, const Ints& input, bool is_unsigned = false)
      : ModelBuilder(opset, input), is_unsigned_(is_unsigned) {}

  /// A constant of 8 bits.
  std::string bytes8(const std::string& name, const Ints& dims, Ints values) {
    if (is_unsigned_)
      for (auto& v : values) v += 128;
    return constant(name, typed_tensor(is_unsigned_ ? TensorProto::UINT8 : TensorProto::INT8, dims, values));
  }
  std::string int32s(const std::string& name, const Ints& values) {
    return constant(name,
                    typed_tensor(TensorProto::INT32, {static_cast<std::int64_t>(values.size())}, values));
  }
  /// The names of a scale and a zero point for a tensor `name`.
  std::pair<std::string, std::string> scale(const std::string& name, double scale, int zero_point) {
    return {scalar(name + ".s", scale), bytes8(name + ".z", {}, {zero_point})};
  }

  /// QuantizeLinear "name.q" and DequantizeLinear "name.dq" of a value, whose name is returned.
  std::string qdq(const std::string& value, double s, int zero_point) {
    const auto [scale_name, zero] = scale(value, s, zero_point);
    node("QuantizeLinear", {value, scale_name, zero}, value + ".q");
    return node("DequantizeLinear", {value + ".q", scale_name, zero}, value + ".dq");
  }
  /// An 8-bit constant with one scale for all, or one along `axis`, behind a DequantizeLinear.
  std::string weight(const std::string& name, const Ints& dims, const Ints& values, const Floats& scales,
                     int axis = 0) {
    const auto n = static_cast<std::int64_t>(scales.size());
    const Ints shape = n == 1 ? Ints{} : Ints{n};
    return node("DequantizeLinear",
                {bytes8(name, dims, values), floats(name + ".s", shape, scales),
                 bytes8(name + ".z", shape, Ints(scales.size(), 0))},
                name + ".dq", n == 1 ? std::vector<Attribute>{} : std::vector<Attribute>{{"axis", axis}});
  }
  /// An int32 constant behind a DequantizeLinear.
  std::string bias(const std::string& name, const Ints& values, const Floats& scales) {
    const auto n = static_cast<std::int64_t>(scales.size());
    return node("DequantizeLinear",
                {int32s(name, values), floats(name + ".s", n == 1 ? Ints{} : Ints{n}, scales)}, name + ".dq",
                {{"axis", 0}});
  }

 private:
  bool is_unsigned_;
};

}  // namespace linnet::formats::onnx
