// Layers with weights: Conv, Gemm, MatMul and BatchNormalization.
#include <tuple>

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

/// A constant of one number a channel, in whatever axes it is stored.
Result<Constant> channel_constant(const Call& call, int i, std::string_view what) {
  LINNET_TRY(const Tensor tensor, float_constant(call, i, what));
  LINNET_TRY(const int n, size(static_cast<std::int64_t>(tensor.size()), what));
  return Constant({n}, AlignedVector<float>(tensor.floats().begin(), tensor.floats().end()));
}

/// A weight of [outer, inner, taps] as [outer, taps, inner]: OIHW becomes KRSC, and C1RS becomes RSC.
AlignedVector<float> channels_last(std::span<const float> values, std::size_t outer, std::size_t inner,
                                   std::size_t taps) {
  AlignedVector<float> result(values.size());
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

/// The operator for ONNX's `group`: dense or depthwise.
Result<Op> convolution(std::int64_t group, const Window& window, const Tensor& weight, int channels) {
  const int k = static_cast<int>(weight.dims()[0]);
  const int c = static_cast<int>(weight.dims()[1]);
  const auto taps = static_cast<std::size_t>(window.kernel_h) * static_cast<std::size_t>(window.kernel_w);
  const auto outer = static_cast<std::size_t>(k);
  const auto inner = static_cast<std::size_t>(c);
  if (group == 1)
    return Convolution{.window = window,
                       .weight = Constant({k, window.kernel_h, window.kernel_w, c},
                                          channels_last(weight.floats(), outer, inner, taps))};
  if (group != channels)
    return fail("group={} with {} channels is not depthwise; Linnet runs group=1 or group=channels", group,
                channels);
  if (k != channels || c != 1)
    return fail("a depthwise weight of {} for {} channels; Linnet runs one output a channel",
                to_string(weight.dims()), channels);
  return Depthwise{.window = window,
                   .weight = Constant({window.kernel_h, window.kernel_w, k},
                                      channels_last(weight.floats(), 1, outer, taps))};
}

Result<void> expect_layout(const Feature& x, std::span<const Axis> axes, std::string_view advice) {
  if (x.layout.reads_as(axes)) return {};
  std::string letters;
  for (const Axis axis : axes) letters += static_cast<char>(axis);
  return fail("reads its input as {}, but that is {}; {}", letters, x.layout.text(), advice);
}

/// The bias of a layer that has none of its own: what its only reader, an Add, puts on it. Absent where there
/// is no such Add.
Constant bias_added_next(const Call& call, const Layout& layout, int channels) {
  const auto* next = call.translator().only_reader(call.node().output(0));
  if (!next || next->op_type() != "Add" || next->input_size() != 2 || next->output_size() != 1) return {};
  const int other = next->input(0) == call.node().output(0) ? 1 : 0;
  const auto value = call.translator().value(next->input(other));
  if (!value) return {};
  const auto* tensor = std::get_if<Tensor>(&*value);
  auto values = tensor ? per_channel(layout, channels, *tensor) : std::nullopt;
  return values ? Constant({channels}, *std::move(values)) : Constant{};
}

/// Gives `y` as the output of the node, and of the Add after it where that became the bias.
Value layer_output(const Call& call, Feature y, bool took_bias) {
  if (took_bias) call.translator().set(call.translator().only_reader(call.node().output(0))->output(0), y);
  return y;
}

/// A weight matrix as [K, C].
Result<Constant> matrix(const Call& call, bool transposed, double factor) {
  LINNET_TRY(const Tensor weight, float_constant(call, 1, "weight"));
  if (weight.dims().size() != 2)
    return fail("a weight of {}; Linnet multiplies by matrices of two axes", to_string(weight.dims()));
  const auto rows = static_cast<std::size_t>(weight.dims()[0]);
  const auto columns = static_cast<std::size_t>(weight.dims()[1]);
  const auto from = weight.floats();
  AlignedVector<float> values(from.begin(), from.end());
  if (!transposed)
    for (std::size_t c = 0; c < rows; ++c)
      for (std::size_t k = 0; k < columns; ++k) values[k * rows + c] = from[c * columns + k];
  if (factor != 1)
    for (float& v : values) v = static_cast<float>(v * factor);
  const int k = static_cast<int>(transposed ? rows : columns);
  const int c = static_cast<int>(transposed ? columns : rows);
  return Constant({k, c}, std::move(values));
}

/// Gemm's third input: [K], [1, K] or one number for all, times beta.
Result<Constant> gemm_bias(const Call& call, int k, double beta) {
  LINNET_TRY(const Tensor tensor, float_constant(call, 2, "bias"));
  const Layout row{{1, k}, {Axis::kBatch, Axis::kChannel}};
  auto values = per_channel(row, k, tensor);
  if (!values) return fail("bias of {} for {} outputs; the file is damaged", to_string(tensor.dims()), k);
  if (beta != 1)
    for (float& v : *values) v = static_cast<float>(v * beta);
  return Constant({k}, *std::move(values));
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
  LINNET_TRY(Op op, convolution(group, window, weight, shape.c));

  // Shapes first: the layout of the output decides whether a constant that is added next is a bias.
  LINNET_TRY(const Shape y_shape, infer_shape(op, std::span(&shape, 1)));
  const std::int64_t batch = x.layout.dims[0];
  Layout layout = layout_of(y_shape, batch, kNchw);
  Constant bias;
  if (call.has_input(2)) {
    LINNET_TRY(bias, channel_constant(call, 2, "bias"));
  } else {
    bias = bias_added_next(call, layout, y_shape.c);
  }
  const bool took_bias = !call.has_input(2) && !bias.absent();
  if (auto* dense = std::get_if<Convolution>(&op)) dense->bias = std::move(bias);
  if (auto* depthwise = std::get_if<Depthwise>(&op)) depthwise->bias = std::move(bias);
  LINNET_TRY(const NodeId y, call.add(std::move(op), {x.node}));
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
  LINNET_TRY(Constant weight, matrix(call, transposed_weight != 0, alpha));
  const int k = weight.dims()[0];
  Constant bias;
  if (call.has_input(2)) {
    LINNET_TRY(bias, gemm_bias(call, k, beta));
  }
  LINNET_TRY(const NodeId y,
             call.add(Linear{.weight = std::move(weight), .bias = std::move(bias)}, {x.node}));
  return Feature{y, layout_of(call.shape(y), x.layout.dims[0], kNc)};
}

Result<Value> translate_matmul(const Call& call) {
  LINNET_TRY(const Feature x, call.feature(0));
  LINNET_TRY(Constant weight, matrix(call, false, 1));
  const Shape& shape = call.shape(x.node);
  const int k = weight.dims()[0];
  if (x.layout.rank() == 0 || x.layout.dims.back() != shape.c ||
      (shape.c != 1 && x.layout.axes.back() != Axis::kChannel))
    return fail("multiplies {} by a matrix; Linnet runs that where the last axis is that of the channels",
                x.layout.text());
  Layout layout = x.layout;
  layout.dims.back() = k;
  layout.axes.back() = Axis::kChannel;
  Constant bias = bias_added_next(call, layout, k);
  const bool took_bias = !bias.absent();
  Op op = Linear{.weight = weight, .bias = bias};
  if (shape.pixels() != 1)
    op = Convolution{.window = {},
                     .weight = Constant({k, 1, 1, weight.dims()[1]},
                                        AlignedVector<float>(weight.values().begin(), weight.values().end())),
                     .bias = bias};
  LINNET_TRY(const NodeId y, call.add(std::move(op), {x.node}));
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
  LINNET_TRY(const NodeId y, call.add(std::move(op), {x.node}));
  return Feature{y, x.layout};
}

}  // namespace linnet::formats::onnx
