// Operators that work element by element: arithmetic with constants, residual sums, gates, activations.
#include <cmath>
#include <limits>

#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {
namespace {

/// The result of this node, whose name what is pending takes.
Value finished(const Call& call, Feature x) {
  x.name = call.name();
  return x;
}

/// Applies a step that ScalarFunction may be unable to express: where it cannot, what is pending becomes a
/// node first.
template <class Step>
Result<Feature> apply(const Call& call, Feature x, Step step) {
  auto next = step(x.function);
  if (!next) {
    LINNET_TRY(x, call.translator().materialise(std::move(x)));
    next = step(x.function);
  }
  x.function = next.value();  // every step can be applied to the identity
  return x;
}

Result<Feature> shifted(const Call& call, Feature x, double k) {
  return apply(call, std::move(x), [&](const ScalarFunction& f) { return f.shifted(k); });
}

Result<Feature> clamped(const Call& call, Feature x, double low, double high) {
  return apply(call, std::move(x), [&](const ScalarFunction& f) { return f.clamped(low, high); });
}

Feature scaled(Feature x, double k) {
  x.function = x.function.scaled(k);
  return x;
}

/// The two inputs of an operator, one of which may be a constant.
struct Operands {
  std::optional<Feature> x, y;  ///< inputs 0 and 1 where they depend on the image
  std::optional<Tensor> constant;
};

Result<Operands> operands(const Call& call) {
  Operands result;
  LINNET_TRY(Value a, call.input(0));
  LINNET_TRY(Value b, call.input(1));
  if (auto* x = std::get_if<Feature>(&a)) result.x = std::move(*x);
  if (auto* y = std::get_if<Feature>(&b)) result.y = std::move(*y);
  if (auto* constant = std::get_if<Tensor>(&a)) result.constant = std::move(*constant);
  if (auto* constant = std::get_if<Tensor>(&b)) result.constant = std::move(*constant);
  return result;
}

/// The constant as a finite scalar that leaves the feature's axes as they are, or nothing.
std::optional<double> scalar_for(const Feature& x, const Tensor& constant) {
  if (constant.dims().size() > x.layout.rank()) return std::nullopt;
  const auto value = constant.scalar();
  return value && std::isfinite(*value) ? value : std::nullopt;
}

/// y = x * scale(v) + offset(v) for a constant v that is a scalar or one number a channel.
template <class Scale, class Offset>
Result<Value> affine(const Call& call, Feature x, const Tensor& constant, Scale scale, Offset offset) {
  if (const auto k = scalar_for(x, constant)) {
    x = scaled(std::move(x), scale(*k));
    if (offset(*k) != 0) {
      LINNET_TRY(x, shifted(call, std::move(x), offset(*k)));
    }
    return finished(call, std::move(x));
  }
  LINNET_TRY(x, call.translator().materialise(std::move(x)));
  const auto values = per_channel(x.layout, call.shape(x.node).c, constant);
  if (!values)
    return fail(
        "combines {} with a constant of {}; Linnet runs constants of one finite number, or of one a channel",
        x.layout.text(), to_string(constant.dims()));
  AlignedVector<float> scales, offsets;
  for (const double v : *values) {
    if (!std::isfinite(scale(v)) || !std::isfinite(offset(v)))
      return fail("combines an activation with {:g}; the file is damaged", v);
    scales.push_back(static_cast<float>(scale(v)));
    offsets.push_back(static_cast<float>(offset(v)));
  }
  LINNET_TRY(x.node,
             call.translator().add_affine(call.name(), x.node, std::move(scales), std::move(offsets)));
  x.form = Form::kComputed;
  return x;
}

constexpr auto kOne = [](double) { return 1.0; };
constexpr auto kZero = [](double) { return 0.0; };
constexpr auto kItself = [](double v) { return v; };
constexpr auto kNegative = [](double v) { return -v; };
constexpr auto kMinusOne = [](double) { return -1.0; };
constexpr auto kReciprocal = [](double v) { return 1.0 / v; };

Result<Layout> common_layout(const Feature& x, const Feature& y) {
  if (auto layout = broadcast(x.layout, y.layout)) return *std::move(layout);
  return fail("combines {} with {}, whose axes do not match", x.layout.text(), y.layout.text());
}

}  // namespace

Result<Value> translate_add(const Call& call) {
  if (call.inputs() != 2) return fail("adds {} values; Linnet adds two, split the sum", call.inputs());
  LINNET_TRY(Operands in, operands(call));
  if (in.constant) return affine(call, in.x ? *in.x : *in.y, *in.constant, kOne, kItself);
  LINNET_TRY(const Feature x, call.translator().materialise(*std::move(in.x)));
  LINNET_TRY(const Feature y, call.translator().materialise(*std::move(in.y)));
  LINNET_TRY(Layout layout, common_layout(x, y));
  LINNET_TRY(const NodeId sum, call.add(Add{}, {x.node, y.node}));
  return Feature{sum, std::move(layout)};
}

Result<Value> translate_sub(const Call& call) {
  LINNET_TRY(Operands in, operands(call));
  if (!in.constant) return fail("subtracts one activation from another; no MobileNet does");
  if (in.x) return affine(call, *in.x, *in.constant, kOne, kNegative);
  return affine(call, *in.y, *in.constant, kMinusOne, kItself);
}

Result<Value> translate_mul(const Call& call) {
  LINNET_TRY(Operands in, operands(call));
  if (in.constant) return affine(call, in.x ? *in.x : *in.y, *in.constant, kItself, kZero);
  Feature x = *std::move(in.x);
  Feature y = *std::move(in.y);
  if (x.node == y.node && x.layout == y.layout && x.form == y.form)
    if (const auto function = ScalarFunction::product(x.function, y.function)) {
      x.function = *function;
      return finished(call, std::move(x));
    }
  LINNET_TRY(x, call.translator().materialise(std::move(x)));
  LINNET_TRY(y, call.translator().materialise(std::move(y)));
  LINNET_TRY(Layout layout, common_layout(x, y));
  if (call.shape(x.node).pixels() == 1 && call.shape(y.node).pixels() != 1) std::swap(x, y);
  if (call.translator().int8() && call.shape(y.node).pixels() != 1)
    return fail(
        "multiplies two maps; Linnet runs gates of one number a channel. If these are the pieces of a "
        "hard-swish, quantize it as one: no QuantizeLinear between the pieces, or HardSwish of opset 14");
  LINNET_TRY(const NodeId product, call.add(Multiply{}, {x.node, y.node}));
  return Feature{product, std::move(layout)};
}

Result<Value> translate_div(const Call& call) {
  LINNET_TRY(Operands in, operands(call));
  if (!in.constant || !in.x) return fail("divides by an activation; no MobileNet does");
  if (in.constant->scalar() == 0.0) return fail("divides by zero; the file is damaged");
  return affine(call, *in.x, *in.constant, kReciprocal, kZero);
}

Result<Value> translate_neg(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  return finished(call, scaled(std::move(x), -1));
}

namespace {

Result<Value> clip(const Call& call, Feature x, double low, double high) {
  // "No bound" is also written as float32's largest number.
  constexpr double kLargest = std::numeric_limits<float>::max();
  if (std::isnan(low) || std::isnan(high) || low > high)
    return fail("clips to [{:g}, {:g}]; the file is damaged", low, high);
  if (low <= -kLargest) low = -ScalarFunction::kInfinity;
  if (high >= kLargest) high = ScalarFunction::kInfinity;
  LINNET_TRY(x, clamped(call, std::move(x), low, high));
  return finished(call, std::move(x));
}

Result<double> scalar_constant(const Call& call, int i, std::string_view what) {
  LINNET_TRY(const Tensor tensor, call.constant(i, what));
  if (const auto value = tensor.scalar()) return *value;
  return fail("{} is {}, not one number; Linnet clips all channels alike", what, to_string(tensor.dims()));
}

/// Min and Max of one activation and any number of scalars.
Result<Value> clip_by_all(const Call& call, bool is_min) {
  std::optional<Feature> x;
  double low = -ScalarFunction::kInfinity, high = ScalarFunction::kInfinity;
  for (int i = 0; i < call.inputs(); ++i) {
    LINNET_TRY(Value value, call.input(i));
    if (auto* feature = std::get_if<Feature>(&value)) {
      if (x) return fail("compares two activations; Linnet clips an activation by constants only");
      x = std::move(*feature);
      continue;
    }
    LINNET_TRY(const double bound, scalar_constant(call, i, "bound"));
    if (is_min)
      high = std::min(high, bound);
    else
      low = std::max(low, bound);
  }
  return clip(call, *std::move(x), low, high);
}

Result<Feature> hard_sigmoid(const Call& call, Feature x, double alpha, double beta) {
  if (!std::isfinite(alpha) || !std::isfinite(beta))
    return fail("alpha or beta is not finite; the file is damaged");
  LINNET_TRY(x, shifted(call, scaled(std::move(x), alpha), beta));
  return clamped(call, std::move(x), 0, 1);
}

}  // namespace

Result<Value> translate_relu(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  return clip(call, std::move(x), 0, ScalarFunction::kInfinity);
}

Result<Value> translate_clip(const Call& call) {
  constexpr double kInfinity = ScalarFunction::kInfinity;
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(double low, call.attributes.number("min", -kInfinity));
  LINNET_TRY(double high, call.attributes.number("max", kInfinity));
  if (call.has_input(1)) {
    LINNET_TRY(low, scalar_constant(call, 1, "the lower bound"));
  }
  if (call.has_input(2)) {
    LINNET_TRY(high, scalar_constant(call, 2, "the upper bound"));
  }
  return clip(call, std::move(x), low, high);
}

Result<Value> translate_min(const Call& call) { return clip_by_all(call, true); }
Result<Value> translate_max(const Call& call) { return clip_by_all(call, false); }

Result<Value> translate_hard_sigmoid(const Call& call) {
  LINNET_TRY(const double alpha, call.attributes.number("alpha", 0.2));
  LINNET_TRY(const double beta, call.attributes.number("beta", 0.5));
  LINNET_TRY(Feature x, call.pending(0));
  LINNET_TRY(x, hard_sigmoid(call, std::move(x), alpha, beta));
  return finished(call, std::move(x));
}

Result<Value> translate_hard_swish(const Call& call) {
  LINNET_TRY(Feature x, call.pending(0));
  if (!x.function.is_identity()) {
    LINNET_TRY(x, call.translator().materialise(std::move(x)));
  }
  LINNET_TRY(Feature gate, hard_sigmoid(call, x, 1.0 / 6.0, 0.5));
  x.function = ScalarFunction::product(x.function, gate.function).value();
  return finished(call, std::move(x));
}

}  // namespace linnet::formats::onnx
