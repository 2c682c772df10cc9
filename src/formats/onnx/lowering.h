// Quantised operators as what they stand for: DequantizeLinear, the float operator, QuantizeLinear. So the
// reader meets one form of int8 models only.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

/// QLinearConv, QLinearMatMul and ONNX Runtime's QGemm, QLinearAdd, QLinearMul, QLinearAveragePool,
/// QLinearGlobalAveragePool, QLinearReduceMean, QuantizeLinear and DequantizeLinear as nodes of ONNX's own
/// that compute the same, in order; nothing for any other operator. The float operator keeps the node's name.
/// A bias stays as it is: int32 without a scale. Errors: inputs or attributes that have no such form.
Result<std::vector<std::unique_ptr<const onnx_schema::NodeProto>>> lowered(
    const onnx_schema::NodeProto& node);

}  // namespace linnet::formats::onnx
