// Weights and biases of int8 models: what QuantizeLinear and DequantizeLinear say of constants, and how a
// layer of an int8 graph takes them.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {

/// Scales and zero points as a QuantizeLinear or DequantizeLinear node has them.
struct QuantizationParameters {
  std::vector<float> scales;              ///< finite, at least 0; one or more
  std::vector<std::int64_t> zero_points;  ///< as many as scales
  std::optional<IntegerKind> kind;        ///< of the zero point or of the node's attribute, where it has one
};

/// Inputs 1 and 2 of the node. Errors: they are no constants, not finite, of 16 or 4 bits, in blocks.
Result<QuantizationParameters> quantization_parameters(const Call& call);

/// QuantizeLinear and DequantizeLinear of a constant. The latter's floats remember the integers.
Result<Tensor> quantize_constant(const Call& call, const Tensor& x);
Result<Tensor> dequantize_constant(const Call& call, const Tensor& x);

/// Weights of an int8 layer, in the file's order of axes.
struct Int8Weights {
  AlignedVector<std::int8_t> values;
  AlignedVector<float> scales;  ///< one an output channel
  int zero_point = 0;
};

/// The integers behind a DequantizeLinear; uint8 becomes int8 by subtracting 128 from values and zero point.
/// Errors: floats, integers of other sizes, scales along another axis than `channel_axis`, zero points that
/// differ by channel.
Result<Int8Weights> int8_weights(const Tensor& weight, std::size_t channel_axis);

/// The bias of an int8 layer, in units of s_x * s_w (float32's product), from a tensor of one value a channel
/// or one for all, times beta. Integers without a scale are in those units already (QLinearConv), and so are
/// those whose scale it is; any other bias is rounded to them, halves to even, in float32, as ONNX Runtime's
/// quantizer does. Errors: a bias that no int32 holds in those units.
Result<Constant> int8_bias(const Tensor& bias, float scale_x, std::span<const float> scale_w,
                           double beta = 1);

}  // namespace linnet::formats::onnx
