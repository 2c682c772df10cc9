// int8 and uint8 models, and the constants that layers of every precision have.
//
// TFLite computes clamp(z_y + round(s_x * s_w / s_y * (sum((x - z_x) * (w - z_w)) + bias))), as Linnet
// does, but for how it rounds. uint8 becomes int8 by taking 128 off values and zero points: differences stay.
#include <algorithm>
#include <cmath>

#include "formats/tflite/translator.h"
#include "numerics/multiplier.h"

namespace linnet::formats::tflite {
namespace {

// A file's bias has the scale s_x * s_w, computed and stored by the converter in float32.
constexpr double kBiasTolerance = 0.01;
// The ends of an input's range lie this close to -1, 0 or 1: 127 / 128, or -127 / 127.5.
constexpr double kRangeTolerance = 0.02;

Constant view(const TypedArray<float>& array, std::vector<int> dims) {
  return Constant(std::move(dims), array.values, array.owner);
}

}  // namespace

bool is_quantised(const ModelFile& file) {
  const auto& tensors = *file.graph().tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const schema::TensorType type = tensors.Get(i)->type();
    using enum schema::TensorType;
    if ((type == INT8 || type == UINT8 || type == INT16 || type == INT4) &&
        !file.is_constant(static_cast<int>(i)))
      return true;
  }
  return false;
}

std::optional<Preprocessing> pixels_as_stored(const Quantization& input) {
  const double zero = input.zero_point + 128, scale = input.scale;  // as pixels of 0 … 255 have them
  const auto near = [](double value, double wanted) { return std::abs(value - wanted) < kRangeTolerance; };
  const double lowest = -zero * scale, highest = (255 - zero) * scale;
  const bool centred = near(lowest, -1) && near(highest, 1);
  const bool positive = near(lowest, 0) && (near(highest, 1) || near(highest / 255, 1));
  if (!centred && !positive) return std::nullopt;
  // TensorFlow's own MobileNets have [-1, 1]; Keras' data generators scale the whole picture, by Pillow.
  Preprocessing p;
  if (centred)
    p = tensorflow_preprocessing();
  else
    p.resize_to_input = true;
  p.mean.fill(static_cast<float>(zero / 255));
  p.deviation.fill(static_cast<float>(1 / (255 * scale)));
  return p;
}

// ---- Constants ----

const std::vector<int>& Weights::dims() const {
  return std::visit([](const auto& array) -> const std::vector<int>& { return array.dims; }, values);
}

Constant Weights::as(std::vector<int> dims) const {
  return std::visit([&](const auto& array) { return Constant(std::move(dims), array.values, array.owner); },
                    values);
}

Result<Constant> Weights::transposed(ModelFile& file, int rows, std::vector<int> dims) const {
  return std::visit(
      [&]<class T>(const TypedArray<T>& array) -> Result<Constant> {
        const auto height = static_cast<std::size_t>(rows);
        const std::size_t width = array.values.size() / height;
        LINNET_TRY(AlignedVector<T> turned, file.allocate<T>(array.values.size()));
        for (std::size_t r = 0; r < height; ++r)
          for (std::size_t c = 0; c < width; ++c) turned[c * height + r] = array.values[r * width + c];
        return Constant(std::move(dims), std::move(turned));
      },
      values);
}

Result<Array> Translator::constant(int tensor) {
  if (const auto found = dequantized_.find(tensor); found != dequantized_.end()) return found->second;
  if (!is_constant(tensor))
    return fail("\"{}\" is not a constant of the file; export the model with constant weights",
                file_.tensor_name(tensor));
  if (!int8_ || !file_.is_byte(tensor)) return file_.floats(tensor);
  LINNET_TRY(const Scales scales, file_.scales(tensor));
  LINNET_TRY(TypedArray<std::int8_t> stored, file_.int8s(tensor));
  if (scales.values.size() != 1)
    return fail("\"{}\" has {} scales; Linnet reads one", file_.tensor_name(tensor), scales.values.size());
  LINNET_TRY(AlignedVector<float> values, file_.allocate(stored.values.size()));
  std::ranges::transform(stored.values, values.begin(), [&](std::int8_t q) {
    return numerics::dequantize_real(q, scales.values[0], scales.zero_point);
  });
  auto owner = std::make_shared<const AlignedVector<float>>(std::move(values));
  const std::span<const float> all = *owner;
  return Array{std::move(stored.dims), all, std::move(owner)};
}

Result<Weights> Translator::weights(int tensor, int axis) {
  if (!int8_) {
    LINNET_TRY(Array values, constant(tensor));
    return Weights{std::move(values)};
  }
  const std::string name = file_.tensor_name(tensor);
  if (!file_.is_constant(tensor))
    return fail("\"{}\" is not a constant of the file; export the model with constant weights", name);
  LINNET_TRY(TypedArray<std::int8_t> values, file_.int8s(tensor));
  LINNET_TRY(const Scales scales, file_.scales(tensor));
  if (static_cast<std::size_t>(axis) >= values.dims.size())  // the caller says which dimensions it expects
    return Weights{std::move(values)};
  const int channels = values.dims[static_cast<std::size_t>(axis)];
  Constant scale;
  if (scales.values.size() == 1) {
    LINNET_TRY(scale, filled(channels, scales.values[0]));
  } else if (scales.values.size() != static_cast<std::size_t>(channels) || scales.axis != axis) {
    return fail("\"{}\" is {} with {} scales along dimension {}; Linnet reads one, or one an output channel",
                name, dims_text(values.dims), scales.values.size(), scales.axis);
  } else {
    LINNET_TRY(AlignedVector<float> copy, file_.allocate(scales.values.size()));
    std::ranges::copy(scales.values, copy.begin());
    scale = Constant({channels}, std::move(copy));
  }
  return Weights{std::move(values), std::move(scale), scales.zero_point};
}

Result<Constant> Translator::bias(int tensor, int size, const Weights& weights, NodeId x) {
  if (tensor == -1) return Constant();
  return int8_ ? int32_bias(tensor, size, weights, x) : float_bias(tensor, size);
}

Result<Constant> Translator::float_bias(int tensor, int size) {
  LINNET_TRY(const Array array, constant(tensor));
  if (array.values.size() != static_cast<std::size_t>(size))
    return fail("bias {} does not fit {} output channels", dims_text(array.dims), size);
  return view(array, {size});
}

Result<Constant> Translator::int32_bias(int tensor, int size, const Weights& weights, NodeId x) {
  if (!file_.is_constant(tensor))
    return fail("\"{}\" is not a constant of the file; export the model with constant weights",
                file_.tensor_name(tensor));
  LINNET_TRY(TypedArray<std::int32_t> array, file_.int32s(tensor));
  if (array.values.size() != static_cast<std::size_t>(size))
    return fail("bias {} does not fit {} output channels", dims_text(array.dims), size);
  LINNET_TRY(const Scales scales, file_.scales(tensor));
  const std::size_t n = scales.values.size();
  if (n != 1 && n != array.values.size())
    return fail("bias \"{}\" has {} scales for {} values; the file is damaged", file_.tensor_name(tensor), n,
                size);
  const auto input = builder_->quantization(x);
  for (std::size_t k = 0; input && k < weights.scale.size(); ++k) {
    const double expected = double{input->scale} * double{weights.scale.values()[k]};
    const double stored = scales.values[n == 1 ? 0 : k];
    if (!(std::abs(stored - expected) <= kBiasTolerance * expected))
      return fail(
          "channel {} of bias \"{}\" has the scale {:g}, expected that of the input times that of the "
          "weights, "
          "{:g}; convert the model again from its float form",
          k, file_.tensor_name(tensor), stored, expected);
  }
  return Constant({size}, array.values, std::move(array.owner));
}

// ---- Activations ----

Result<Quantization> Translator::quantization(int tensor) const {
  const bool integers = file_.is_byte(tensor);
  const auto scales = file_.scales(tensor);
  if (!scales) return std::unexpected(scales.error());
  if (!integers || scales->values.size() != 1)
    return fail("\"{}\" is {} with {} scales; Linnet reads layers whose results are INT8 or UINT8 with one",
                file_.tensor_name(tensor), type_name(file_.tensor(tensor)->type()), scales->values.size());
  return Quantization{scales->values[0], scales->zero_point};
}

Result<Quantization> Translator::kept_quantization(int tensor, NodeId x) const {
  const Quantization kept = *builder_->quantization(x);
  if (!file_.is_byte(tensor)) return kept;  // behind the DEQUANTIZE at the end
  LINNET_TRY(const Quantization declared, quantization(tensor));
  if (declared != kept)
    return fail(
        "moves values of scale {:g} and zero point {} into \"{}\" of scale {:g} and zero point {}; the "
        "file is damaged",
        kept.scale, kept.zero_point, file_.tensor_name(tensor), declared.scale, declared.zero_point);
  return kept;
}

Result<void> Translator::quantize(const Call& call) {
  const Value x = value(call.input(0));
  if (x.form == Value::Form::kScores) return define(call.output(), x);
  LINNET_TRY(const NodeId from, node(call.input(0)));
  LINNET_TRY(const Quantization to, quantization(call.output()));
  if (!builder_->quantization(from)) builder_->quantize(from, to);  // the image: float until here
  if (builder_->quantization(from) == to) return define(call.output(), {Value::Form::kNode, from});
  if (from == builder_->input() && !file_.is_byte(call.input(0)))
    return fail(
        "quantises the input a second time, and otherwise; convert the model with one quantised input");
  return emit(call, Activate{Activation::kNone}, {from});
}

Result<void> Translator::dequantize(const Call& call) {
  const int from = call.input(0), to = call.output();
  if (int8_ && !is_constant(from)) {
    const Value x = value(from);
    if (x.form == Value::Form::kScores) return define(to, x);
    LINNET_TRY(const NodeId id, node(from));
    return define(to, {Value::Form::kNode, id});
  }
  if (!file_.is_constant(from) || file_.tensor(from)->type() != schema::TensorType::FLOAT16)
    return fail(
        "of something else than float16 weights: \"{}\" is {}. Convert the model with full integer "
        "quantisation, "
        "which takes sample pictures, or export the float model",
        file_.tensor_name(from), file_.tensor(from) ? type_name(file_.tensor(from)->type()) : "absent");
  if (value(to).form != Value::Form::kUnknown || is_constant(to))
    return fail("its output has a value already; the file is damaged");
  LINNET_TRY(dequantized_[to], file_.floats(from));
  return {};
}

}  // namespace linnet::formats::tflite
