// Activations of int8 models: QuantizeLinear ends an operator and says what its int8 output stands for,
// DequantizeLinear says that the next one reads it so.
#include <cmath>

#include "formats/onnx/quantized_constant.h"
#include "formats/onnx/translator.h"
#include "graph/quantized.h"
#include "numerics/multiplier.h"

namespace linnet::formats::onnx {
namespace {

struct Stored {
  Quantization quantization;
  bool is_unsigned = false;
};

/// What the node's scale and zero point make of an int8 tensor; uint8 becomes int8 by subtracting 128.
Result<Stored> stored_as(const Call& call, IntegerKind otherwise) {
  LINNET_TRY(const QuantizationParameters q, quantization_parameters(call));
  const IntegerKind kind = q.kind.value_or(otherwise);
  if (q.scales.size() != 1)
    return fail("has {} scales for an activation; Linnet runs one a tensor, quantize activations per tensor",
                q.scales.size());
  if (kind == IntegerKind::kWide)
    return fail("its zero point is not of 8 bits; Linnet runs int8 and uint8, quantize to 8 bits");
  const bool is_unsigned = kind == IntegerKind::kUint8;
  const std::int64_t zero = q.zero_points[0] - (is_unsigned ? 128 : 0);
  if (zero < LINNET_INT8_MIN || zero > LINNET_INT8_MAX)
    return fail("its zero point is {}; the file is damaged", q.zero_points[0]);
  const float scale = q.scales[0];
  if (!(scale >= Quantization::kMinScale && scale <= Quantization::kMaxScale))
    return fail("its scale is {:g}, expected one in [{:g}, {:g}]", scale, Quantization::kMinScale,
                Quantization::kMaxScale);
  return Stored{{scale, static_cast<int>(zero)}, is_unsigned};
}

/// Two spellings of one scale: nothing that 255 steps could show.
bool agree(const Quantization& a, const Quantization& b) {
  return a.zero_point == b.zero_point && std::abs(a.scale - b.scale) <= 1e-6f * a.scale;
}

std::string describe(const ScalarFunction& f) {
  return fmt::format("clamp({:g} * x + {:g}, {:g}, {:g}){}", f.slope, f.offset, f.low, f.high,
                     f.gated ? " * x" : "");
}

/// The limits that clamping to [low, high] puts on values stored so.
linnet_output limits_of(const ScalarFunction& f, const Quantization& q) {
  const auto bound = [&](double b, int infinite) {
    return std::isinf(b) ? infinite : numerics::quantize(b, q.scale, q.zero_point);
  };
  return {q.zero_point, bound(f.low, LINNET_INT8_MIN), bound(f.high, LINNET_INT8_MAX)};
}

/// The activation of an operator's own that f is once the output is stored as q: relu and relu6 are limits,
/// and so is any clamp whose limits are those of one of them or of int8 itself.
Result<Activation> as_limits(const ScalarFunction& f, const Quantization& q, bool may_limit) {
  const auto named = f.as_activation();
  if (named == Activation::kNone) return Activation::kNone;
  if (may_limit && (named == Activation::kRelu || named == Activation::kRelu6)) return *named;
  if (!f.gated && f.slope == 1 && f.offset == 0) {
    const linnet_output wanted = limits_of(f, q);
    for (const Activation a : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
      const linnet_output limits = output_limits(a, q);
      if ((may_limit || a == Activation::kNone) && limits.lo == wanted.lo && limits.hi == wanted.hi) return a;
    }
  }
  return fail(
      "quantizes {} of a value x that is not quantized itself; put a QuantizeLinear and a DequantizeLinear "
      "right after x too (relu and relu6 of a convolution, a linear layer or a sum need none)",
      describe(f));
}

/// The activation whose table of 256 values is f's.
Result<Activation> as_table(const ScalarFunction& f, const Quantization& from, const Quantization& to) {
  if (const auto named = f.as_activation()) return *named;
  std::array<std::int8_t, 256> wanted{};
  for (int x = LINNET_INT8_MIN; x <= LINNET_INT8_MAX; ++x)
    wanted[static_cast<std::size_t>(x - LINNET_INT8_MIN)] = static_cast<std::int8_t>(
        numerics::quantize(f(numerics::dequantize(x, from.scale, from.zero_point)), to.scale, to.zero_point));
  for (const Activation a : {Activation::kNone, Activation::kRelu, Activation::kRelu6, Activation::kHardSwish,
                             Activation::kHardSigmoid})
    if (activation_table(a, from, to) == wanted) return a;
  return fail("quantizes {}, which is none of relu, relu6, hard-swish and hard-sigmoid", describe(f));
}

}  // namespace

Result<void> Translator::expect_dequantized(const Feature& x) const {
  switch (x.form) {
    case Form::kDequantized:
      if (x.function.is_identity()) return {};
      return fail(
          "reads floats that come out of \"{}\"; an int8 network has a QuantizeLinear and a DequantizeLinear "
          "between any two operators. Quantize that activation too",
          x.name);
    case Form::kStored: return fail("reads integers as if they were numbers; a DequantizeLinear is missing");
    case Form::kProbabilities: return fail("reads a softmax; Linnet runs one at the end only");
    case Form::kComputed: break;
  }
  return fail(
      "reads \"{}\" as floats, while other activations of the network are quantized; put a QuantizeLinear "
      "and "
      "a DequantizeLinear between the two (quantize every operator), or use the float model",
      builder_.name(x.node));
}

Result<NodeId> Translator::add_int8_affine(std::string_view name, NodeId x, std::span<const float> scale,
                                           std::span<const float> offset) {
  const std::size_t channels = scale.size();
  constexpr float kLargest = LINNET_INT8_MAX;
  AlignedVector<std::int8_t> weight(channels, 0);
  AlignedVector<float> weight_scale(channels, 1.0f / kLargest);
  for (std::size_t k = 0; k < channels; ++k) {
    if (scale[k] == 0) continue;
    weight[k] = scale[k] < 0 ? -LINNET_INT8_MAX : LINNET_INT8_MAX;
    weight_scale[k] = std::abs(scale[k]) / kLargest;
  }
  const int c = static_cast<int>(channels);
  Depthwise op;
  const Tensor bias({c}, std::vector<float>(offset.begin(), offset.end()));
  LINNET_TRY(op.bias, int8_bias(bias, builder_.quantization(x)->scale, weight_scale));
  op.weight = Constant({1, 1, c}, std::move(weight));
  op.weight_scale = Constant({c}, std::move(weight_scale));
  return add(name, std::move(op), {x});
}

Result<NodeId> Translator::quantized(const Feature& x, std::string_view name, const Quantization& q) {
  const auto& known = builder_.quantization(x.node);
  const ScalarFunction& f = x.function;
  if (x.form == Form::kComputed && !known) {
    Activation* own = own_activation(builder_.op(x.node));
    LINNET_TRY(const Activation activation, as_limits(f, q, own != nullptr));
    if (own) *own = activation;
    builder_.quantize(x.node, q);
    ends_with_.insert_or_assign(x.node, f);
    return x.node;
  }
  ScalarFunction rest = f;
  if (x.form == Form::kComputed) {  // quantised a second time: what was rounded first is rounded again
    if (ends_with_[x.node] != f)
      return fail(
          "quantizes a value of \"{}\" that another QuantizeLinear takes before or after its activation; "
          "quantize one of the two",
          builder_.name(x.node));
    rest = {};
  }
  if (rest.is_identity() && *known == q) return x.node;
  NodeId y = 0;
  if (!rest.clamps() && !rest.gated && !rest.is_identity()) {
    const auto c = static_cast<std::size_t>(shape(x.node).c);
    LINNET_TRY(y, add_int8_affine(x.name, x.node, AlignedVector<float>(c, static_cast<float>(rest.slope)),
                                  AlignedVector<float>(c, static_cast<float>(rest.offset))));
  } else {
    LINNET_TRY(const Activation activation, as_table(rest, *known, q));
    if (activation == Activation::kNone && *known == q) return x.node;
    LINNET_TRY(y, add(rest.is_identity() ? name : x.name, Activate{activation}, {x.node}));
  }
  builder_.quantize(y, q);
  return y;
}

Result<Value> translate_quantize_linear(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  if (x.form == Form::kProbabilities) return x;
  LINNET_TRY(const Stored stored, stored_as(call, IntegerKind::kUint8));
  LINNET_TRY(const NodeId y, call.translator().quantized(x, call.name(), stored.quantization));
  return Feature{y, std::move(x.layout), {}, {}, Form::kStored, stored.is_unsigned};
}

Result<Value> translate_dequantize_linear(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  if (x.form == Form::kProbabilities) return x;
  if (x.form != Form::kStored) return fail("dequantizes floats; the file is damaged");
  LINNET_TRY(const Stored stored, stored_as(call, x.is_unsigned ? IntegerKind::kUint8 : IntegerKind::kInt8));
  const Quantization& known = *call.translator().quantization(x.node);
  if (stored.is_unsigned != x.is_unsigned || !agree(known, stored.quantization))
    return fail(
        "reads integers of scale {:g} and zero point {} as if they had scale {:g} and zero point {}; "
        "quantize "
        "again with one scale a tensor",
        known.scale, known.zero_point, stored.quantization.scale, stored.quantization.zero_point);
  x.form = Form::kDequantized;
  return x;
}

}  // namespace linnet::formats::onnx
