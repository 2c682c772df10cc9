// Layers with weights: Conv, Gemm, MatMul and BatchNormalization.
#include <cmath>
#include <tuple>

#include "formats/onnx/quantized_constant.h"
#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {
namespace {

constexpr std::int64_t kMaxSize =
    1 << 24;  // of anything that must fit an int with room to add; infer_shape() is stricter

Result<int> size(std::int64_t value, std::string_view what) {
  if (value < 0 || value > kMaxSize)
    return fail("{} of {} is out of range; the file is damaged", what, value);
  return static_cast<int>(value);
}

Result<Tensor> float_constant(const Call& call, int i, std::string_view what) {
  LINNET_TRY(Tensor tensor, call.constant(i, what));
  if (!tensor.is_float()) return fail("{} holds integers, not floats; the file is damaged", what);
  for (const std::int64_t d : tensor.dims()) LINNET_CHECK(size(d, what));
  return tensor;
}

/// A layer's bias: floats, or in an int8 model integers in units of s_x * s_w too (QLinearConv).
Result<Tensor> layer_bias(const Call& call, int i) {
  if (!call.translator().int8()) return float_constant(call, i, "bias");
  LINNET_TRY(Tensor tensor, call.constant(i, "bias"));
  for (const std::int64_t d : tensor.dims()) LINNET_CHECK(size(d, "bias"));
  return tensor;
}

/// A constant of one number a channel, in whatever axes it is stored.
Result<Constant> channel_constant(const Call& call, int i, std::string_view what) {
  LINNET_TRY(const Tensor tensor, float_constant(call, i, what));
  LINNET_TRY(const int n, size(static_cast<std::int64_t>(tensor.size()), what));
  return Constant({n}, AlignedVector<float>(tensor.floats().begin(), tensor.floats().end()));
}

/// What a layer multiplies by.
struct Weights {
  Constant weight;
  Constant scale;  ///< [K], in an int8 model; otherwise absent
  int zero_point;  ///< of an int8 model
};

/// The weights under Linnet's dimensions: the floats, or in an int8 model the integers behind them.
/// `arrange` brings a span of either from the file's order into Linnet's.
template <class Arrange>
Result<Weights> weights_of(const Call& call, const Tensor& weight, std::size_t channel_axis,
                           std::vector<int> dims, Arrange arrange) {
  if (!call.translator().int8()) return Weights{Constant(std::move(dims), arrange(weight.floats())), {}, 0};
  LINNET_TRY(Int8Weights stored, int8_weights(weight, channel_axis));
  const int channels = static_cast<int>(stored.scales.size());
  const std::span<const std::int8_t> values = stored.values;
  return Weights{Constant(std::move(dims), arrange(values)), Constant({channels}, std::move(stored.scales)),
                 stored.zero_point};
}

/// The bias of a layer that reads x, from one number a channel.
Result<Constant> bias_of(const Call& call, const Tensor& bias, NodeId x, const Weights& weights,
                         double beta = 1) {
  if (call.translator().int8())
    return int8_bias(bias, call.translator().quantization(x)->scale, weights.scale.values(), beta);
  AlignedVector<float> values(bias.floats().begin(), bias.floats().end());
  if (beta != 1)
    for (float& v : values) v = static_cast<float>(v * beta);
  const int channels = static_cast<int>(values.size());  // arguments have no order among themselves
  return Constant({channels}, std::move(values));
}

/// A weight of [outer, inner, taps] as [outer, taps, inner]: OIHW becomes KRSC, and C1RS becomes RSC.
template <class T>
AlignedVector<T> channels_last(std::span<const T> values, std::size_t outer, std::size_t inner,
                               std::size_t taps) {
  AlignedVector<T> result(values.size());
  for (std::size_t k = 0; k < outer; ++k)
    for (std::size_t c = 0; c < inner; ++c)
      for (std::size_t t = 0; t < taps; ++t)
        result[(k * taps + t) * inner + c] = values[(k * inner + c) * taps + t];
  return result;
}

/// Two numbers, of height and width.
Result<std::pair<int, int>> pair_of(const Call& call, std::string_view name, int otherwise) {
  LINNET_TRY(const auto values, call.attributes.integers(name, {otherwise, otherwise}));
  if (values.size() != 2)
    return fail("{} of {} numbers; Linnet runs convolutions of images, which have two", name, values.size());
  LINNET_TRY(const int h, size(values[0], name));
  LINNET_TRY(const int w, size(values[1], name));
  return std::pair(h, w);
}

Result<Padding> padding_of(const Call& call, const Window& window, const Shape& x) {
  LINNET_TRY(const std::string_view automatic, call.attributes.text("auto_pad", "NOTSET"));
  if (automatic == "VALID") return Padding{};
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    auto [top, bottom] = same_padding(x.h, window.kernel_h, window.stride_h);
    auto [left, right] = same_padding(x.w, window.kernel_w, window.stride_w);
    if (automatic == "SAME_LOWER") {  // the odd row goes to the start
      std::swap(top, bottom);
      std::swap(left, right);
    }
    return Padding{top, bottom, left, right};
  }
  if (automatic != "NOTSET" && !automatic.empty())
    return fail("auto_pad \"{}\" is none that ONNX has; the file is damaged", automatic);
  LINNET_TRY(const auto pads, call.attributes.integers("pads", {0, 0, 0, 0}));
  if (pads.size() != 4) return fail("pads of {} numbers; a convolution of images has four", pads.size());
  LINNET_TRY(const int top, size(pads[0], "padding"));
  LINNET_TRY(const int left, size(pads[1], "padding"));
  LINNET_TRY(const int bottom, size(pads[2], "padding"));
  LINNET_TRY(const int right, size(pads[3], "padding"));
  return Padding{top, bottom, left, right};
}

Result<Window> window_of(const Call& call, const Tensor& weight, const Shape& x) {
  Window window;
  window.kernel_h = static_cast<int>(weight.dims()[2]);
  window.kernel_w = static_cast<int>(weight.dims()[3]);
  LINNET_TRY(const auto kernel,
             call.attributes.integers("kernel_shape", {weight.dims()[2], weight.dims()[3]}));
  if (kernel != Dims{weight.dims()[2], weight.dims()[3]})
    return fail("kernel_shape {} with a weight of {}; the file is damaged", to_string(kernel),
                to_string(weight.dims()));
  LINNET_TRY(const auto strides, pair_of(call, "strides", 1));
  std::tie(window.stride_h, window.stride_w) = strides;
  if (window.stride_h < 1 || window.stride_w < 1)
    return fail("stride {}x{}; the file is damaged", window.stride_h, window.stride_w);
  LINNET_TRY(const auto dilations, pair_of(call, "dilations", 1));
  if ((dilations.first != 1 && window.kernel_h != 1) || (dilations.second != 1 && window.kernel_w != 1))
    return fail("dilation {}x{}; Linnet runs dilation 1, as classifiers have it", dilations.first,
                dilations.second);
  LINNET_TRY(window.padding, padding_of(call, window, x));
  return window;
}

/// The weights for ONNX's `group`: dense or, where the result's weight has three axes, depthwise.
Result<Weights> convolution_weights(const Call& call, std::int64_t group, const Window& window,
                                    const Tensor& weight, int channels) {
  const int k = static_cast<int>(weight.dims()[0]);
  const int c = static_cast<int>(weight.dims()[1]);
  const auto taps = static_cast<std::size_t>(window.kernel_h) * static_cast<std::size_t>(window.kernel_w);
  const auto outer = static_cast<std::size_t>(k);
  const auto inner = static_cast<std::size_t>(c);
  if (group == 1)
    return weights_of(call, weight, 0, {k, window.kernel_h, window.kernel_w, c},
                      [&](auto values) { return channels_last(values, outer, inner, taps); });
  if (group != channels)
    return fail("group={} with {} channels is not depthwise; Linnet runs group=1 or group=channels", group,
                channels);
  if (k != channels || c != 1)
    return fail("a depthwise weight of {} for {} channels; Linnet runs one output a channel",
                to_string(weight.dims()), channels);
  return weights_of(call, weight, 0, {window.kernel_h, window.kernel_w, k},
                    [&](auto values) { return channels_last(values, 1, outer, taps); });
}

/// An operator with these weights, whatever else it has.
template <class O>
O with(O op, const Weights& weights, Constant bias) {
  op.weight = weights.weight;
  op.weight_scale = weights.scale;
  op.weight_zero_point = weights.zero_point;
  op.bias = std::move(bias);
  return op;
}

Op convolution(const Window& window, const Weights& weights, Constant bias) {
  if (weights.weight.dims().size() == 3) return with(Depthwise{.window = window}, weights, std::move(bias));
  return with(Convolution{.window = window}, weights, std::move(bias));
}

Result<void> expect_layout(const Feature& x, std::span<const Axis> axes, std::string_view advice) {
  if (x.layout.reads_as(axes)) return {};
  std::string letters;
  for (const Axis axis : axes) letters += static_cast<char>(axis);
  return fail("reads its input as {}, but that is {}; {}", letters, x.layout.text(), advice);
}

/// The bias of a layer that has none of its own: what its only reader, an Add, puts on it. Absent where there
/// is no such Add.
Result<Constant> bias_added_next(const Call& call, const Layout& layout, int channels, NodeId x,
                                 const Weights& weights) {
  const auto* next = call.translator().only_reader(call.node().output(0));
  if (!next || next->op_type() != "Add" || next->input_size() != 2 || next->output_size() != 1)
    return Constant{};
  const int other = next->input(0) == call.node().output(0) ? 1 : 0;
  const auto value = call.translator().value(next->input(other));
  if (!value) return Constant{};
  const auto* tensor = std::get_if<Tensor>(&*value);
  const auto values = tensor ? per_channel(layout, channels, *tensor) : std::nullopt;
  if (!values) return Constant{};
  return bias_of(call, Tensor({channels}, std::vector<float>(values->begin(), values->end())), x, weights);
}

/// Gives `y` as the output of the node, and of the Add after it where that became the bias.
Value layer_output(const Call& call, Feature y, bool took_bias) {
  if (took_bias) call.translator().set(call.translator().only_reader(call.node().output(0))->output(0), y);
  return y;
}

/// A weight matrix as [K, C], times `factor`.
Result<Weights> matrix(const Call& call, bool transposed, double factor) {
  LINNET_TRY(const Tensor weight, float_constant(call, 1, "weight"));
  if (weight.dims().size() != 2)
    return fail("a weight of {}; Linnet multiplies by matrices of two axes", to_string(weight.dims()));
  const auto rows = static_cast<std::size_t>(weight.dims()[0]);
  const auto columns = static_cast<std::size_t>(weight.dims()[1]);
  const auto arrange = [&]<class T>(std::span<const T> from) {
    AlignedVector<T> values(from.begin(), from.end());
    if (!transposed)
      for (std::size_t c = 0; c < rows; ++c)
        for (std::size_t k = 0; k < columns; ++k) values[k * rows + c] = from[c * columns + k];
    if constexpr (std::is_same_v<T, float>)
      if (factor != 1)
        for (float& v : values) v = static_cast<float>(v * factor);
    return values;
  };
  const int k = static_cast<int>(transposed ? rows : columns);
  const int c = static_cast<int>(transposed ? columns : rows);
  LINNET_TRY(Weights weights, weights_of(call, weight, transposed ? 0 : 1, {k, c}, arrange));
  if (call.translator().int8() && factor != 1) {
    if (!(factor > 0) || !std::isfinite(factor))
      return fail("alpha={:g}; Linnet runs int8 layers with a positive alpha", factor);
    AlignedVector<float> scales;
    for (const float s : weights.scale.values()) scales.push_back(static_cast<float>(s * factor));
    weights.scale = Constant({k}, std::move(scales));
  }
  return weights;
}

/// Gemm's third input: [K], [1, K] or one number for all, times beta.
Result<Constant> gemm_bias(const Call& call, int k, double beta, NodeId x, const Weights& weights) {
  LINNET_TRY(Tensor tensor, layer_bias(call, 2));
  if (!tensor.is_float()) return bias_of(call, tensor, x, weights, beta);
  const Layout row{{1, k}, {Axis::kBatch, Axis::kChannel}};
  const auto values = per_channel(row, k, tensor);
  if (!values) return fail("bias of {} for {} outputs; the file is damaged", to_string(tensor.dims()), k);
  if (!tensor.quantized()) tensor = Tensor({k}, std::vector<float>(values->begin(), values->end()));
  return bias_of(call, tensor, x, weights, beta);
}

/// A batch norm that stands alone, as a depthwise layer.
Result<Value> int8_batch_normalization(const Call& call, const Feature& x, const BatchNorm& op) {
  LINNET_CHECK(infer_shape(op, std::span(&call.shape(x.node), 1)));
  AlignedVector<float> scales, offsets;
  for (std::size_t k = 0; k < op.scale.size(); ++k) {
    const double scale =
        op.scale.values()[k] / std::sqrt(double{op.variance.values()[k]} + double{op.epsilon});
    scales.push_back(static_cast<float>(scale));
    offsets.push_back(static_cast<float>(op.offset.values()[k] - op.mean.values()[k] * scale));
    if (!std::isfinite(scales.back()) || !std::isfinite(offsets.back()))
      return fail("channel {} is scaled by {:g}; the file is damaged", k, scale);
  }
  LINNET_TRY(const NodeId y,
             call.translator().add_affine(call.name(), x.node, std::move(scales), std::move(offsets)));
  return Feature{y, x.layout};
}

}  // namespace

Result<Value> translate_conv(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_TRY(const Tensor weight, float_constant(call, 1, "weight"));
  if (weight.dims().size() != 4)
    return fail("a weight of {}; Linnet runs convolutions of images, whose weights have four axes",
                to_string(weight.dims()));
  LINNET_CHECK(expect_layout(x, kNchw, "the file is damaged, or a Transpose is missing before it"));
  const Shape& shape = call.shape(x.node);
  LINNET_TRY(const Window window, window_of(call, weight, shape));
  LINNET_TRY(const std::int64_t group, call.attributes.integer("group", 1));
  LINNET_TRY(const Weights weights, convolution_weights(call, group, window, weight, shape.c));

  // Shapes first: the layout of the output decides whether a constant that is added next is a bias.
  LINNET_TRY(const Shape y_shape, infer_shape(convolution(window, weights, {}), std::span(&shape, 1)));
  const std::int64_t batch = x.layout.dims[0];
  Layout layout = layout_of(y_shape, batch, kNchw);
  Constant bias;
  if (call.has_input(2)) {
    LINNET_TRY(const Tensor tensor, layer_bias(call, 2));
    LINNET_TRY(bias, bias_of(call, tensor, x.node, weights));
  } else {
    LINNET_TRY(bias, bias_added_next(call, layout, y_shape.c, x.node, weights));
  }
  const bool took_bias = !call.has_input(2) && !bias.absent();
  LINNET_TRY(const NodeId y, call.add(convolution(window, weights, std::move(bias)), {x.node}));
  return layer_output(call, {y, std::move(layout)}, took_bias);
}

Result<Value> translate_gemm(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_CHECK(expect_layout(x, kNc, "a global pool or a Flatten is missing before it"));
  LINNET_TRY(const std::int64_t transposed_input, call.attributes.integer("transA", 0));
  LINNET_TRY(const std::int64_t transposed_weight, call.attributes.integer("transB", 0));
  LINNET_TRY(const double alpha, call.attributes.number("alpha", 1));
  LINNET_TRY(const double beta, call.attributes.number("beta", 1));
  if (transposed_input != 0)
    return fail("transA={}; Linnet runs fully connected layers of images, transA=0", transposed_input);
  LINNET_TRY(const Weights weights, matrix(call, transposed_weight != 0, alpha));
  Constant bias;
  if (call.has_input(2)) {
    LINNET_TRY(bias, gemm_bias(call, weights.weight.dims()[0], beta, x.node, weights));
  }
  LINNET_TRY(const NodeId y, call.add(with(Linear{}, weights, std::move(bias)), {x.node}));
  return Feature{y, layout_of(call.shape(y), x.layout.dims[0], kNc)};
}

Result<Value> translate_matmul(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_TRY(Weights weights, matrix(call, false, 1));
  const Shape& shape = call.shape(x.node);
  const int k = weights.weight.dims()[0];
  if (x.layout.rank() == 0 || x.layout.dims.back() != shape.c ||
      (shape.c != 1 && x.layout.axes.back() != Axis::kChannel))
    return fail("multiplies {} by a matrix; Linnet runs that where the last axis is that of the channels",
                x.layout.text());
  Layout layout = x.layout;
  layout.dims.back() = k;
  layout.axes.back() = Axis::kChannel;
  LINNET_TRY(Constant bias, bias_added_next(call, layout, k, x.node, weights));
  const bool took_bias = !bias.absent();
  if (shape.pixels() == 1) {
    LINNET_TRY(const NodeId y, call.add(with(Linear{}, weights, std::move(bias)), {x.node}));
    return layer_output(call, {y, std::move(layout)}, took_bias);
  }
  const std::vector<int> dims = {k, 1, 1, weights.weight.dims()[1]};
  const auto reshaped = [&]<class T>(std::span<const T> values) {
    return Constant(dims, AlignedVector<T>(values.begin(), values.end()));
  };
  weights.weight = call.translator().int8() ? reshaped(weights.weight.values<std::int8_t>())
                                            : reshaped(weights.weight.values());
  LINNET_TRY(const NodeId y, call.add(with(Convolution{}, weights, std::move(bias)), {x.node}));
  return layer_output(call, {y, std::move(layout)}, took_bias);
}

Result<Value> translate_batch_normalization(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_TRY(const std::int64_t spatial, call.attributes.integer("spatial", 1));
  LINNET_TRY(const std::int64_t training, call.attributes.integer("training_mode", 0));
  if (spatial != 1 || training != 0)
    return fail("spatial={}, training_mode={}; export the model for inference (model.eval())", spatial,
                training);
  const Shape& shape = call.shape(x.node);
  if (x.layout.rank() < 2 || x.layout.dims[1] != shape.c ||
      (shape.c != 1 && x.layout.axes[1] != Axis::kChannel))
    return fail("normalises axis 1 of {}, which is not that of the channels; the file is damaged",
                x.layout.text());
  BatchNorm op;
  LINNET_TRY(op.scale, channel_constant(call, 1, "scale"));
  LINNET_TRY(op.offset, channel_constant(call, 2, "offset"));
  LINNET_TRY(op.mean, channel_constant(call, 3, "mean"));
  LINNET_TRY(op.variance, channel_constant(call, 4, "variance"));
  LINNET_TRY(const double epsilon, call.attributes.number("epsilon", 1e-5));
  op.epsilon = static_cast<float>(epsilon);
  if (call.translator().int8()) return int8_batch_normalization(call, x, op);
  LINNET_TRY(const NodeId y, call.add(std::move(op), {x.node}));
  return Feature{y, x.layout};
}

}  // namespace linnet::formats::onnx
