// ADD, SUB, MUL and DIV: residuals, gates, what batch norm leaves behind, and activations in pieces.
#include <cmath>

#include "formats/tflite/translator.h"

namespace linnet::formats::tflite {

using schema::BuiltinOperator;

Result<void> Translator::arithmetic(const Call& call) {
  schema::ActivationFunction function = schema::ActivationFunction::NONE;
  if (const auto* add = call.op.options_as_AddOptions()) function = add->activation();
  if (const auto* sub = call.op.options_as_SubOptions()) function = sub->activation();
  if (const auto* mul = call.op.options_as_MulOptions()) function = mul->activation();
  if (const auto* div = call.op.options_as_DivOptions()) function = div->activation();
  LINNET_TRY(const Activation activation, activation_of(function));
  if (call.inputs() != 2) return fail("takes 2 inputs, not {}", call.inputs());
  const int a = call.input(0), b = call.input(1);
  if (!is_constant(a) && !is_constant(b)) return with_each_other(call, activation);
  if (!is_constant(a)) return with_constant(call, a, b, activation);
  if (is_constant(b) || call.code == BuiltinOperator::SUB || call.code == BuiltinOperator::DIV)
    return fail("computes with a constant on its left; Linnet reads one on the right only");
  return with_constant(call, b, a, activation);
}

Result<void> Translator::with_constant(const Call& call, int x, int k, Activation activation) {
  LINNET_TRY(const Array array, constant(k));
  const Value held = value(x);
  if (array.values.size() == 1) {
    const float number = array.values[0];
    const auto is = [&](float wanted) {
      return int8_ ? std::abs(number / wanted - 1.0f) < 1e-3f : number == wanted;
    };
    const bool adds_3 = call.code == BuiltinOperator::ADD && is(3.0f);
    if (adds_3 && held.form == Value::Form::kNode &&
        (activation == Activation::kNone || activation == Activation::kRelu6))
      return define(
          call.output(),
          {activation == Activation::kNone ? Value::Form::kPlus3 : Value::Form::kPlus3Relu6, held.node});

    // 1/6 in float32, however the exporter rounded it.
    const bool divides_by_6 =
        (call.code == BuiltinOperator::MUL && std::abs(number * 6.0f - 1.0f) < (int8_ ? 1e-3f : 1e-6f)) ||
        (call.code == BuiltinOperator::DIV && is(6.0f));
    if (divides_by_6 && activation == Activation::kNone && held.form == Value::Form::kPlus3Relu6)
      return define(call.output(), {Value::Form::kHardSigmoid, held.node});
    if (divides_by_6 && activation == Activation::kNone && held.form == Value::Form::kTimesRelu6)
      return emit(call, Activate{Activation::kHardSwish}, {held.node});
  }
  LINNET_TRY(const NodeId id, node(x));
  if (int8_)
    return fail(
        "computes with the constant \"{}\", for which an int8 model has no layer but hard-swish and "
        "hard-sigmoid; fold batch norm and rescaling before the model is converted",
        file_.tensor_name(k));
  return affine(call, id, array, activation);
}

Result<void> Translator::affine(const Call& call, NodeId x, const Array& k, Activation activation) {
  const int channels = shape(x).c;
  const bool scalar = k.values.size() == 1;
  if (!scalar && (k.dims.back() != channels || k.values.size() != static_cast<std::size_t>(channels)))
    return fail("computes {} with a constant {}; Linnet reads one number, or one a channel",
                to_string(shape(x)), dims_text(k.dims));
  LINNET_TRY(const Constant zero, filled(channels, 0.0f));
  LINNET_TRY(const Constant one, filled(channels, 1.0f));
  Constant vector;
  if (scalar && call.code == BuiltinOperator::DIV) {
    LINNET_TRY(vector, filled(channels, 1.0f / k.values[0]));
  } else if (scalar) {
    LINNET_TRY(vector, filled(channels, k.values[0]));
  } else {
    vector = Constant({channels}, k.values, k.owner);
  }

  BatchNorm norm{.scale = one, .offset = zero, .mean = zero, .variance = one, .epsilon = 0.0f};
  const double largest = std::abs(static_cast<double>(k.values[0]));
  bool rescales = false;
  switch (call.code) {
    case BuiltinOperator::ADD: norm.offset = vector; break;
    case BuiltinOperator::SUB:
      norm.mean = vector;
      rescales = largest > 32;
      break;
    case BuiltinOperator::MUL:
      norm.scale = vector;
      rescales = largest < 1.0 / 32;
      break;
    default:
      if (!scalar) return fail("divides by a vector; Linnet reads the division by one number");
      norm.scale = vector;
      rescales = largest > 32;
  }
  // Taking 127.5 off the image, or dividing it by as much, is the first half of mapping pixels of 0 … 255 to
  // small numbers.
  if (x == builder_->input()) rescales_its_input_ = rescales;
  return emit(call, std::move(norm), {x}, activation);
}

Result<void> Translator::with_each_other(const Call& call, Activation activation) {
  const int a = call.input(0), b = call.input(1);
  if (call.code == BuiltinOperator::ADD) {
    LINNET_TRY(const NodeId x, node(a));
    LINNET_TRY(const NodeId y, node(b));
    return emit(call, Add{activation}, {x, y});
  }
  if (call.code != BuiltinOperator::MUL) return fail("of two activations is no part of a MobileNet");

  // x * relu6(x + 3) and x * hard_sigmoid(x), in either order.
  for (const auto& [plain, gate] : {std::pair(value(a), value(b)), std::pair(value(b), value(a))}) {
    if (plain.form != Value::Form::kNode || plain.node != gate.node || activation != Activation::kNone)
      continue;
    if (gate.form == Value::Form::kPlus3Relu6)
      return define(call.output(), {Value::Form::kTimesRelu6, plain.node});
    if (gate.form == Value::Form::kHardSigmoid)
      return emit(call, Activate{Activation::kHardSwish}, {plain.node});
  }
  LINNET_TRY(NodeId x, node(a));
  LINNET_TRY(NodeId gate, node(b));
  if (shape(gate).pixels() != 1) std::swap(x, gate);
  return emit(call, Multiply{}, {x, gate}, activation);
}

}  // namespace linnet::formats::tflite
