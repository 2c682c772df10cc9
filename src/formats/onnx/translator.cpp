#include "formats/onnx/translator.h"

#include <cmath>

namespace linnet::formats::onnx {

Translator::Translator(const Model& model, GraphBuilder builder)
    : model_(model), builder_(std::move(builder)) {
  for (const auto* node : model.nodes)
    for (const auto& input : node->input()) last_reader_[input] = node;
  names_[model.input->name()] = 0;
}

Result<Value> Translator::value(std::string_view name) {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  const auto initializer = model_.initializers.find(name);
  if (initializer == model_.initializers.end())
    return fail("reads \"{}\", which neither a constant nor a node before it gives; the file is damaged",
                name);
  LINNET_TRY(Tensor tensor, decode(*initializer->second, model_.folder));
  return values_.insert_or_assign(initializer->first, std::move(tensor)).first->second;
}

int Translator::readers(std::string_view name) const {
  const auto found = model_.readers.find(name);
  return found == model_.readers.end() ? 0 : found->second;
}

const onnx_schema::NodeProto* Translator::only_reader(std::string_view name) const {
  const auto found = last_reader_.find(name);
  return readers(name) == 1 && found != last_reader_.end() ? found->second : nullptr;
}

Result<NodeId> Translator::add(std::string_view name, Op op, std::vector<NodeId> inputs) {
  std::vector<Shape> shapes;
  for (const NodeId input : inputs) shapes.push_back(builder_.shape(input));
  LINNET_CHECK(infer_shape(op, shapes));
  const std::string wanted(name.empty() ? op_name(op) : name);
  std::string unique = wanted;
  if (!names_.try_emplace(wanted, 0).second) {
    int& number = names_[wanted];
    do {
      unique = fmt::format("{}_{}", wanted, ++number);
    } while (!names_.try_emplace(unique, 0).second);
  }
  return builder_.add(std::move(unique), std::move(op), std::move(inputs));
}

Constant Translator::uniform(double value, int c) {
  const auto number = static_cast<float>(value);
  Constant& constant = uniform_[{number, c}];
  if (constant.absent()) constant = Constant({c}, AlignedVector<float>(static_cast<std::size_t>(c), number));
  return constant;
}

Result<NodeId> Translator::add_batch_norm(std::string_view name, NodeId x, Constant scale, Constant offset) {
  const int c = shape(x).c;
  return add(name,
             BatchNorm{.scale = std::move(scale),
                       .offset = std::move(offset),
                       .mean = uniform(0, c),
                       .variance = uniform(1, c),
                       .epsilon = 0.0f},
             {x});
}

Result<NodeId> Translator::add_affine(std::string_view name, NodeId x, AlignedVector<float> scale,
                                      AlignedVector<float> offset) {
  if (int8()) return add_int8_affine(name, x, scale, offset);
  const int c = shape(x).c;
  return add_batch_norm(name, x, Constant({c}, std::move(scale)), Constant({c}, std::move(offset)));
}

Result<NodeId> Translator::add_uniform_affine(std::string_view name, NodeId x, double scale, double offset) {
  if (scale == 1 && offset == 0) return x;
  if (!std::isfinite(scale) || !std::isfinite(offset))
    return fail("scales or shifts an activation by a number that is not finite; the file is damaged");
  const int c = shape(x).c;
  return add_batch_norm(name, x, uniform(scale, c), uniform(offset, c));
}

Result<Feature> Translator::materialise(Feature feature) {
  if (int8()) {
    LINNET_CHECK(expect_dequantized(feature));
    return feature;
  }
  const ScalarFunction f = feature.function;
  if (f.is_identity()) return feature;
  const std::string before = fmt::format("{}.before", feature.name);
  const std::string after = fmt::format("{}.after", feature.name);
  const double span = f.high - f.low;

  const auto nearly_one = [](double v) { return std::abs(v - 1) <= 1e-6; };

  // y = after(activation(before(x))), with scales and offsets where the exporter's function is a stretched
  // one.
  const auto emit = [&](double scale, double offset, Activation activation, double out_scale,
                        double out_offset) -> Result<Feature> {
    LINNET_TRY(NodeId y, add_uniform_affine(before, feature.node, scale, offset));
    LINNET_TRY(y, add(feature.name, Activate{activation}, {y}));
    LINNET_TRY(y, add_uniform_affine(after, y, out_scale, out_offset));
    return Feature{y, feature.layout};
  };
  if (f.gated) {
    if (f.low == 0 && f.is_stretched_hard_sigmoid())
      return emit(1, 0, Activation::kHardSwish, nearly_one(f.high) ? 1 : f.high, 0);
    return fail(
        "multiplies x by clamp({:g} * x + {:g}, {:g}, {:g}), which is not hard-swish; Linnet runs relu, "
        "relu6, hard-swish and hard-sigmoid",
        f.slope, f.offset, f.low, f.high);
  }
  if (!f.clamps()) {
    LINNET_TRY(const NodeId y, add_uniform_affine(feature.name, feature.node, f.slope, f.offset));
    return Feature{y, feature.layout};
  }
  if (f.high == ScalarFunction::kInfinity)
    return emit(f.slope, f.offset - f.low, Activation::kRelu, 1, f.low);
  if (f.low == -ScalarFunction::kInfinity)
    return emit(-f.slope, f.high - f.offset, Activation::kRelu, -1, f.high);
  if (!(span > 0)) return fail("clips an activation to the single value {:g}; the file is damaged", f.low);
  if (f.low == 0 && f.high == 6) return emit(f.slope, f.offset, Activation::kRelu6, 1, 0);
  if (f.is_stretched_hard_sigmoid())
    return emit(1, 0, Activation::kHardSigmoid, nearly_one(span) ? 1 : span, f.low);
  return emit(f.slope * 6 / span, (f.offset - f.low) * 6 / span, Activation::kRelu6, span / 6, f.low);
}

std::optional<AlignedVector<float>> per_channel(const Layout& layout, int channels, const Tensor& constant) {
  if (!constant.is_float() || constant.dims().size() > layout.rank()) return std::nullopt;
  const auto count = static_cast<std::size_t>(channels);
  if (constant.size() == 1) return AlignedVector<float>(count, constant.floats()[0]);
  const std::size_t shift = layout.rank() - constant.dims().size();
  for (std::size_t i = 0; i < constant.dims().size(); ++i)
    if (constant.dims()[i] != 1 &&
        (layout.axes[i + shift] != Axis::kChannel || constant.dims()[i] != layout.dims[i + shift]))
      return std::nullopt;
  return AlignedVector<float>(constant.floats().begin(), constant.floats().end());
}

Result<Value> Call::input(int i) const {
  if (!has_input(i)) return fail("input {} is missing; the file is damaged", i);
  return translator_.value(node_.input(i));
}

Result<Feature> Call::pending(int i) const {
  LINNET_TRY(Value value, input(i));
  if (auto* feature = std::get_if<Feature>(&value)) return std::move(*feature);
  return fail("input {} (\"{}\") is a constant where Linnet expects something that the image decides", i,
              node_.input(i));
}

Result<Feature> Call::feature(int i) const {
  LINNET_TRY(Feature x, pending(i));
  return translator_.materialise(std::move(x));
}

Result<Tensor> Call::constant(int i, std::string_view what) const {
  LINNET_TRY(Value value, input(i));
  if (auto* tensor = std::get_if<Tensor>(&value)) return std::move(*tensor);
  return fail(
      "{} (input {}, \"{}\") is not a constant; fold constants with onnxsim, or export with constant weights",
      what, i, node_.input(i));
}

Result<std::vector<std::int64_t>> Call::integers(int i, std::string_view what) const {
  LINNET_TRY(const Tensor tensor, constant(i, what));
  if (tensor.is_float())
    return fail("{} (input {}) holds floats, not integers; the file is damaged", what, i);
  return std::vector<std::int64_t>(tensor.ints().begin(), tensor.ints().end());
}

Result<std::vector<std::int64_t>> Call::integers_either(std::string_view name, int i,
                                                        std::vector<std::int64_t> otherwise) const {
  if (attributes.has(name)) return attributes.integers(name, std::move(otherwise));
  if (has_input(i)) return integers(i, name);
  return otherwise;
}

}  // namespace linnet::formats::onnx
