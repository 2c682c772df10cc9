// The operators with a window or with weights, the pools and the activations.
#include <tuple>

#include "formats/tflite/translator.h"

namespace linnet::formats::tflite {
namespace {

using schema::ActivationFunction;

constexpr int kMaxSide = 1 << 16;

/// Of a convolution, depthwise or not.
template <class Options>
Result<void> expect_undilated(const Options* options) {
  if (!options) return fail("its options are missing; the file is damaged");
  if (options->dilation_h() == 1 && options->dilation_w() == 1) return {};
  return fail("dilation {}x{}; Linnet runs dilation 1, as classifiers have it", options->dilation_h(),
              options->dilation_w());
}

}  // namespace

Result<Activation> activation_of(ActivationFunction function) {
  switch (function) {
    case ActivationFunction::NONE: return Activation::kNone;
    case ActivationFunction::RELU: return Activation::kRelu;
    case ActivationFunction::RELU6: return Activation::kRelu6;
    default: break;
  }
  return fail("the fused activation {} is not one of a MobileNet (none, RELU, RELU6)",
              schema::EnumNameActivationFunction(function));
}

Result<Window> make_window(const Shape& x, int kernel_h, int kernel_w, int stride_h, int stride_w,
                           schema::Padding padding) {
  for (const int side : {kernel_h, kernel_w, stride_h, stride_w})
    if (side < 1 || side > kMaxSide)
      return fail("kernel {}x{} with stride {}x{} is not a window", kernel_h, kernel_w, stride_h, stride_w);
  Window w{kernel_h, kernel_w, stride_h, stride_w, {}};
  if (padding == schema::Padding::SAME) {
    std::tie(w.padding.top, w.padding.bottom) = same_padding(x.h, kernel_h, stride_h);
    std::tie(w.padding.left, w.padding.right) = same_padding(x.w, kernel_w, stride_w);
  } else if (padding != schema::Padding::VALID) {
    return fail("padding scheme {} is unknown; there are SAME and VALID", static_cast<int>(padding));
  }
  return w;
}

Result<void> Translator::convolution(const Call& call) {
  const auto* options = call.op.options_as_Conv2DOptions();
  LINNET_CHECK(expect_undilated(options));
  LINNET_TRY(const Activation activation, activation_of(options->activation()));
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const Weights weight, weights(call.input(1), 0));
  if (weight.dims().size() != 4) return fail("weight is {}, expected [K, R, S, C]", dims_text(weight.dims()));
  const int outputs = weight.dims()[0], r = weight.dims()[1], s = weight.dims()[2], depth = weight.dims()[3],
            channels = shape(x).c;
  LINNET_TRY(const Window w,
             make_window(shape(x), r, s, options->stride_h(), options->stride_w(), options->padding()));
  LINNET_TRY(const Constant b, bias(call.input(2), outputs, weight, x));
  if (depth == channels)
    return emit(
        call, Convolution{w, weight.as(weight.dims()), b, activation, weight.scale, weight.zero_point}, {x});

  if (depth == 1 && outputs == channels) {  // depthwise, written as a grouped convolution: [C, R, S, 1]
    LINNET_TRY(const Constant turned, weight.transposed(file_, channels, {r, s, channels}));
    return emit(call, Depthwise{w, turned, b, activation, weight.scale, weight.zero_point}, {x});
  }
  return fail("weight {} on {} channels: group={} is not depthwise; Linnet runs group=1 or group=channels",
              dims_text(weight.dims()), channels, channels / depth);
}

Result<void> Translator::depthwise(const Call& call) {
  const auto* options = call.op.options_as_DepthwiseConv2DOptions();
  LINNET_CHECK(expect_undilated(options));
  LINNET_TRY(const Activation activation, activation_of(options->activation()));
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const Weights weight, weights(call.input(1), 3));
  if (weight.dims().size() != 4 || weight.dims()[0] != 1)
    return fail("weight is {}, expected [1, R, S, C]", dims_text(weight.dims()));
  const int r = weight.dims()[1], s = weight.dims()[2], outputs = weight.dims()[3], channels = shape(x).c;
  LINNET_TRY(const Window w,
             make_window(shape(x), r, s, options->stride_h(), options->stride_w(), options->padding()));
  LINNET_TRY(const Constant b, bias(call.input(2), outputs, weight, x));
  if (outputs == channels)
    return emit(
        call, Depthwise{w, weight.as({r, s, channels}), b, activation, weight.scale, weight.zero_point}, {x});

  if (channels == 1) {  // several kernels on one channel are a dense convolution: [R, S, K] to [K, R, S, 1]
    LINNET_TRY(const Constant turned, weight.transposed(file_, r * s, {outputs, r, s, 1}));
    return emit(call, Convolution{w, turned, b, activation, weight.scale, weight.zero_point}, {x});
  }
  return fail("weight {} on {} channels: Linnet runs a depth multiplier of 1 only", dims_text(weight.dims()),
              channels);
}

Result<void> Translator::fully_connected(const Call& call) {
  const auto* options = call.op.options_as_FullyConnectedOptions();
  if (!options) return fail("its options are missing; the file is damaged");
  if (options->weights_format() != 0)
    return fail("its weights are shuffled for one device; export the model without that");
  LINNET_TRY(const Activation activation, activation_of(options->activation()));
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const Weights weight, weights(call.input(1), 0));
  if (weight.dims().size() != 2) return fail("weight is {}, expected [K, C]", dims_text(weight.dims()));
  LINNET_TRY(const Constant b, bias(call.input(2), weight.dims()[0], weight, x));
  return emit(call, Linear{weight.as(weight.dims()), b, activation, weight.scale, weight.zero_point}, {x});
}

Result<void> Translator::average_pool(const Call& call) {
  const auto* options = call.op.options_as_Pool2DOptions();
  if (!options) return fail("its options are missing; the file is damaged");
  LINNET_TRY(const Activation activation, activation_of(options->activation()));
  LINNET_TRY(const NodeId x, node(call.input(0)));
  const Shape& in = shape(x);
  LINNET_TRY(const Window w, make_window(in, options->filter_height(), options->filter_width(),
                                         options->stride_h(), options->stride_w(), options->padding()));
  if (w.kernel_h != in.h || w.kernel_w != in.w || w.padding != Padding{})
    return fail("pools {}x{} of {}; Linnet pools the whole image, as every MobileNet does at its end",
                w.kernel_h, w.kernel_w, to_string(in));
  return emit(call, GlobalAveragePool{}, {x}, activation);
}

Result<void> Translator::mean(const Call& call) {
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const std::vector<int> sizes, file_.dims(call.input(0)));
  LINNET_TRY(std::vector<int> axes, file_.integers(call.input(1)));
  for (int& axis : axes)
    if (axis < 0) axis += static_cast<int>(sizes.size());
  if (sizes.size() != 4 || (axes != std::vector{1, 2} && axes != std::vector{2, 1}))
    return fail("takes the mean of {} over axes {}; Linnet takes it over height and width", dims_text(sizes),
                dims_text(axes));
  return emit(call, GlobalAveragePool{}, {x});
}

Result<void> Translator::softmax(const Call& call) {
  const auto* options = call.op.options_as_SoftmaxOptions();
  if (!options) return fail("its options are missing; the file is damaged");
  if (options->beta() != 1.0f) return fail("its beta is {}; Linnet runs 1", options->beta());
  LINNET_TRY(const NodeId x, node(call.input(0)));
  if (int8_) return define(call.output(), {Value::Form::kScores, x});
  return emit(call, Softmax{}, {x});
}

Result<void> Translator::activate(const Call& call, Activation activation) {
  const Value x = value(call.input(0));
  if (x.form == Value::Form::kPlus3 && activation == Activation::kRelu6)
    return define(call.output(), {Value::Form::kPlus3Relu6, x.node});
  LINNET_TRY(const NodeId id, node(call.input(0)));
  return emit(call, Activate{activation}, {id});
}

}  // namespace linnet::formats::tflite
