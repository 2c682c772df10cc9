#include "formats/onnx/quantized_constant.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace linnet::formats::onnx {
namespace {

using onnx_schema::TensorProto;

struct Range {
  std::int64_t lowest, highest;
};

Range range_of(IntegerKind kind) {
  switch (kind) {
    case IntegerKind::kInt8: return {-128, 127};
    case IntegerKind::kUint8: return {0, 255};
    case IntegerKind::kWide: break;
  }
  return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
}

/// Which scale a value of `dims` has, by its index: all the first, or each its own along `axis`.
class ScaleIndex {
 public:
  ScaleIndex(const Dims& dims, std::size_t axis, std::size_t scales) : scales_(scales) {
    for (std::size_t i = axis + 1; i < dims.size(); ++i) inner_ *= static_cast<std::size_t>(dims[i]);
  }
  std::size_t operator()(std::size_t i) const { return scales_ == 1 ? 0 : i / inner_ % scales_; }

 private:
  std::size_t inner_ = 1;
  std::size_t scales_;
};

/// The axis that several scales lie along; 0 where there is but one.
Result<std::size_t> scale_axis(const Call& call, const Tensor& x, std::size_t scales) {
  if (scales == 1) return std::size_t{0};
  LINNET_TRY(const std::int64_t number, call.attributes.integer("axis", 1));
  LINNET_TRY(const std::size_t axis, axis_index(number, x.dims().size()));
  if (x.dims()[axis] != static_cast<std::int64_t>(scales))
    return fail("{} scales along axis {} of {}; the file is damaged", scales, axis, to_string(x.dims()));
  return axis;
}

}  // namespace

Result<QuantizationParameters> quantization_parameters(const Call& call) {
  LINNET_TRY(const std::int64_t block, call.attributes.integer("block_size", 0));
  if (block != 0)
    return fail("has a scale for each {} values; quantize a tensor or a channel at a time", block);
  LINNET_TRY(const Tensor scale, call.constant(1, "the scale"));
  if (!scale.is_float() || scale.size() == 0 || scale.dims().size() > 1)
    return fail("its scale is {} of {}, expected one float, or one a channel; the file is damaged",
                scale.is_float() ? "floats" : "integers", to_string(scale.dims()));
  QuantizationParameters result;
  result.scales.assign(scale.floats().begin(), scale.floats().end());
  for (const float s : result.scales)
    if (!(s >= 0) || !std::isfinite(s)) return fail("its scale is {:g}; the file is damaged", s);
  result.zero_points.assign(result.scales.size(), 0);
  if (!call.has_input(2)) {
    LINNET_TRY(const std::int64_t type, call.attributes.integer("output_dtype", TensorProto::NONE));
    if (type == TensorProto::INT8) result.kind = IntegerKind::kInt8;
    if (type == TensorProto::UINT8) result.kind = IntegerKind::kUint8;
    if (call.node().op_type() == "QuantizeLinear" && type != TensorProto::NONE && !result.kind)
      return fail("quantizes to ONNX's type {}; Linnet runs int8 and uint8, quantize to 8 bits", type);
    return result;
  }
  LINNET_TRY(const Tensor zero, call.constant(2, "the zero point"));
  if (zero.is_float() || (zero.size() != 1 && zero.size() != result.scales.size()))
    return fail("its zero point is {} of {} for {} scales; the file is damaged",
                zero.is_float() ? "floats" : "integers", to_string(zero.dims()), result.scales.size());
  for (std::size_t i = 0; i < result.zero_points.size(); ++i)
    result.zero_points[i] = zero.ints()[zero.size() == 1 ? 0 : i];
  result.kind = zero.integer_kind();
  return result;
}

Result<Tensor> quantize_constant(const Call& call, const Tensor& x) {
  if (!x.is_float()) return fail("quantizes integers; the file is damaged");
  LINNET_TRY(const QuantizationParameters q, quantization_parameters(call));
  LINNET_TRY(const std::size_t axis, scale_axis(call, x, q.scales.size()));
  const IntegerKind kind = q.kind.value_or(IntegerKind::kUint8);  // ONNX's default
  const Range range = range_of(kind);
  const ScaleIndex index(x.dims(), axis, q.scales.size());
  std::vector<std::int64_t> values(x.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float scaled = std::rint(x.floats()[i] / q.scales[index(i)]);
    if (std::isnan(scaled)) return fail("quantizes what is no number; the file is damaged");
    const double stored = double{scaled} + static_cast<double>(q.zero_points[index(i)]);
    values[i] = static_cast<std::int64_t>(
        std::clamp(stored, static_cast<double>(range.lowest), static_cast<double>(range.highest)));
  }
  return Tensor(x.dims(), std::move(values), kind);
}

Result<Tensor> dequantize_constant(const Call& call, const Tensor& x) {
  if (x.is_float()) return fail("dequantizes floats; the file is damaged");
  LINNET_TRY(QuantizationParameters q, quantization_parameters(call));
  LINNET_TRY(const std::size_t axis, scale_axis(call, x, q.scales.size()));
  if (q.kind && *q.kind != x.integer_kind())
    return fail("its zero point is of another type than what it dequantizes; the file is damaged");
  const ScaleIndex index(x.dims(), axis, q.scales.size());
  std::vector<float> values(x.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double steps =
        static_cast<double>(x.ints()[i]) - static_cast<double>(q.zero_points[index(i)]);  // both below 2^63
    values[i] = static_cast<float>(steps) * q.scales[index(i)];
  }
  return Tensor(x.dims(), std::move(values))
      .made_from({x, std::move(q.scales), std::move(q.zero_points), axis});
}

Result<Int8Weights> int8_weights(const Tensor& weight, std::size_t channel_axis) {
  const QuantizedConstant* q = weight.quantized();
  if (!q)
    return fail(
        "its weights are floats while its input is int8; quantize the weights too (a DequantizeLinear before "
        "them), or use the float model");
  const IntegerKind kind = q->integers.integer_kind();
  if (kind == IntegerKind::kWide)
    return fail("its weights are not of 8 bits; quantize them to int8 or uint8");
  if (q->scales.size() != 1 && q->axis != channel_axis)
    return fail("its weights have scales along axis {}; Linnet runs one scale an output channel, axis {}",
                q->axis, channel_axis);
  const std::int64_t zero = q->zero_points[0];
  if (std::ranges::any_of(q->zero_points, [&](auto z) { return z != zero; }))
    return fail(
        "its weights have zero points that differ by channel; Linnet runs one a layer, quantize the weights "
        "symmetrically");
  const std::int64_t shift = kind == IntegerKind::kUint8 ? 128 : 0;
  const Range range = range_of(kind);
  if (zero < range.lowest || zero > range.highest)
    return fail("its weights have the zero point {}; the file is damaged", zero);
  Int8Weights result;
  result.zero_point = static_cast<int>(zero - shift);
  result.values.reserve(q->integers.size());
  for (const std::int64_t v : q->integers.ints())
    result.values.push_back(static_cast<std::int8_t>(v - shift));
  const auto channels = static_cast<std::size_t>(weight.dims()[channel_axis]);
  result.scales.assign(channels, q->scales[0]);
  if (q->scales.size() != 1) std::ranges::copy(q->scales, result.scales.begin());
  return result;
}

Result<Constant> int8_bias(const Tensor& bias, float scale_x, std::span<const float> scale_w, double beta) {
  const std::size_t channels = scale_w.size();
  if (bias.size() != 1 && bias.size() != channels)
    return fail("bias of {} for {} outputs; the file is damaged", to_string(bias.dims()), channels);
  const QuantizedConstant* q = bias.quantized();
  const auto pick = [&](const auto& values, std::size_t k) { return values[values.size() == 1 ? 0 : k]; };
  AlignedVector<std::int32_t> values(channels);
  for (std::size_t k = 0; k < channels; ++k) {
    const float unit = scale_x * scale_w[k];
    double value = 0;
    if (!bias.is_float()) {
      value = std::rint(static_cast<double>(pick(bias.ints(), k)) * beta);
    } else if (q && beta == 1 && pick(q->zero_points, k) == 0 && pick(q->scales, k) == unit) {
      value = static_cast<double>(pick(q->integers.ints(), k));
    } else {
      const auto real = static_cast<float>(pick(bias.floats(), k) * beta);
      if (unit == 0 && real != 0)
        return fail("channel {}: its weights have the scale 0 and so no place for the bias {:g}", k, real);
      value = real == 0 ? 0 : double{std::rint(real / unit)};
    }
    if (!(std::abs(value) <= std::numeric_limits<std::int32_t>::max()))
      return fail(
          "channel {}: its bias is {:g} times the scales of input and weights, more than an int32 holds; "
          "quantize again with a larger weight scale for that channel",
          k, value);
    values[k] = static_cast<std::int32_t>(value);
  }
  return Constant({static_cast<int>(channels)}, std::move(values));
}

}  // namespace linnet::formats::onnx
