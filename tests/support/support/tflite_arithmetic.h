// TensorFlow Lite's own int8 arithmetic over Linnet's graphs: what its reference kernels compute, double
// rounding and all. To compare with: an imported model's layers lie this far from what their file was made
// for.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/quantized.h"
#include "numerics/tflite_rounding.h"
#include "reference/window.h"

namespace linnet::testing {

/// How often TensorFlow Lite rounds when it scales an accumulator.
enum class TfliteRounding {
  kTwice,  ///< as it is built by default
  kOnce,   ///< as it is built with TFLITE_SINGLE_ROUNDING: halves upwards
};

/// One node of a legal int8 graph, from its inputs.
struct TfliteNode {
  using Inputs = std::span<const std::span<const std::int8_t>>;
  using Output = std::vector<std::int8_t>;

  const Graph& graph;
  NodeId id;
  Inputs inputs;
  TfliteRounding rounding = TfliteRounding::kTwice;

  std::int64_t scale(std::int32_t acc, numerics::TfliteMultiplier by) const {
    if (rounding == TfliteRounding::kTwice) return numerics::tflite_scale(acc, by);
    const int shift = 31 - by.shift;
    return (std::int64_t{acc} * by.multiplier + (std::int64_t{1} << (shift - 1))) >> shift;
  }
  const Node& node() const { return graph[id]; }
  const Shape& in() const { return graph[node().inputs[0]].shape; }
  const Quantization& from(std::size_t i = 0) const { return *graph[node().inputs[i]].quantization; }
  const Quantization& to() const { return *node().quantization; }

  /// Adds the zero point and limits.
  std::int8_t finish(std::int64_t value, Activation activation) const {
    const linnet_output limits = output_limits(activation, to());
    return static_cast<std::int8_t>(std::clamp<std::int64_t>(value + to().zero_point, limits.lo, limits.hi));
  }

  /// AVERAGE_POOL_2D keeps its input's quantization; MEAN may have another.
  bool is_mean() const { return std::holds_alternative<GlobalAveragePool>(node().op) && from() != to(); }

  /// Of a layer with weights, a MEAN or an activation; none elsewhere.
  std::vector<numerics::TfliteMultiplier> multipliers() const {
    const double factor = double{from().scale} / double{to().scale};
    std::vector<numerics::TfliteMultiplier> by;
    if (const auto layer = layer_weights(node().op)) {
      for (const float s : layer->weight_scale.values())
        by.push_back(numerics::tflite_multiplier(factor * double{s}));
    } else if (is_mean()) {  // takes 1 / pixels into the multiplier
      const auto pixels = static_cast<std::int32_t>(in().pixels());
      const auto whole = numerics::tflite_multiplier(factor);
      int bits = 0;
      while (pixels >> (bits + 1) != 0) ++bits;
      bits = std::min(bits, 31 + whole.shift);
      by.push_back(
          {static_cast<std::int32_t>((std::int64_t{whole.multiplier} << bits) / pixels), whole.shift - bits});
    } else if (std::holds_alternative<Activate>(node().op)) {
      by.push_back(numerics::tflite_multiplier(factor));
    }
    return by;
  }

  /// The share of values that rounding twice is expected to change: a right shift by s moves what lies within
  /// 2^-(s + 1) of a half on one side, of 2^-(s + 1) of all values.
  double expected_difference() const {
    const auto by = multipliers();
    double sum = 0;
    for (const auto& m : by) sum += m.shift < 0 ? std::ldexp(0.5, m.shift) : 0;
    return by.empty() ? 0 : sum / static_cast<double>(by.size());
  }

  /// sum_of(accumulate, ho, wo, k) calls accumulate(x, w) for every tap.
  template <class SumOf>
  Output weighted(SumOf sum_of) const {
    const LayerWeights layer = *layer_weights(node().op);
    const std::vector<numerics::TfliteMultiplier> by = multipliers();
    Output y(static_cast<std::size_t>(node().shape.size()));
    reference::for_each_output(node().shape, y.data(), [&](int ho, int wo, int k) {
      const auto channel = static_cast<std::size_t>(k);
      std::int32_t acc = layer.bias.absent() ? 0 : layer.bias.values<std::int32_t>()[channel];
      sum_of([&](int x, int w) { acc += (x - from().zero_point) * (w - layer.weight_zero_point); }, ho, wo,
             k);
      return finish(scale(acc, by[channel]), layer.activation);
    });
    return y;
  }

  std::optional<Output> operator()(const Convolution& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    const auto channels = static_cast<std::size_t>(in().c);
    return weighted([&](auto accumulate, int ho, int wo, int k) {
      reference::for_each_tap(op.window, in(), ho, wo, [&](int r, int s, int h, int w) {
        const auto tap = static_cast<std::size_t>((k * op.window.kernel_h + r) * op.window.kernel_w + s);
        const std::size_t pixel = reference::at(in(), h, w, 0);
        for (std::size_t c = 0; c < channels; ++c)
          accumulate(inputs[0][pixel + c], weight[tap * channels + c]);
      });
    });
  }
  std::optional<Output> operator()(const Depthwise& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    return weighted([&](auto accumulate, int ho, int wo, int c) {
      reference::for_each_tap(op.window, in(), ho, wo, [&](int r, int s, int h, int w) {
        accumulate(inputs[0][reference::at(in(), h, w, c)],
                   weight[static_cast<std::size_t>((r * op.window.kernel_w + s) * in().c + c)]);
      });
    });
  }
  std::optional<Output> operator()(const Linear& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    const auto channels = static_cast<std::size_t>(in().c);
    return weighted([&](auto accumulate, int, int, int k) {
      for (std::size_t c = 0; c < channels; ++c)
        accumulate(inputs[0][c], weight[static_cast<std::size_t>(k) * channels + c]);
    });
  }

  /// Three roundings: of each input, shifted up by 20 bits, to twice the larger scale; and of their sum.
  std::optional<Output> operator()(const Add& op) const {
    constexpr int kLeftShift = 20;
    const double widest = 2.0 * std::max(from(0).scale, from(1).scale);
    const auto a = numerics::tflite_multiplier(double{from(0).scale} / widest);
    const auto b = numerics::tflite_multiplier(double{from(1).scale} / widest);
    const auto out = numerics::tflite_multiplier(widest / ((1 << kLeftShift) * double{to().scale}));
    Output y(inputs[0].size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::int32_t left = (inputs[0][i] - from(0).zero_point) * (1 << kLeftShift);
      const std::int32_t right = (inputs[1][i] - from(1).zero_point) * (1 << kLeftShift);
      const std::int64_t sum = scale(left, a) + scale(right, b);
      y[i] = finish(scale(static_cast<std::int32_t>(sum), out), op.activation);
    }
    return y;
  }

  std::optional<Output> operator()(const Multiply&) const {
    const auto by =
        numerics::tflite_multiplier(double{from(0).scale} * double{from(1).scale} / double{to().scale});
    Output y(inputs[0].size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const int gate = inputs[1][i % static_cast<std::size_t>(node().shape.c)] - from(1).zero_point;
      y[i] = finish(scale((inputs[0][i] - from(0).zero_point) * gate, by), Activation::kNone);
    }
    return y;
  }

  /// AVERAGE_POOL_2D divides, halves away from zero.
  std::optional<Output> operator()(const GlobalAveragePool&) const {
    const auto pixels = static_cast<std::int32_t>(in().pixels());
    const auto by = multipliers();
    Output y(static_cast<std::size_t>(in().c));
    for (int c = 0; c < in().c; ++c) {
      std::int32_t sum = 0;
      for (int h = 0; h < in().h; ++h)
        for (int w = 0; w < in().w; ++w) sum += inputs[0][reference::at(in(), h, w, c)];
      const std::int32_t half = sum > 0 ? pixels / 2 : -(pixels / 2);
      const std::int64_t value = is_mean() ? scale(sum - pixels * from().zero_point, by[0])
                                           : (sum + half) / pixels - to().zero_point;
      y[static_cast<std::size_t>(c)] = finish(value, Activation::kNone);
    }
    return y;
  }

  std::optional<Output> operator()(const Pad& op) const {
    Output y(static_cast<std::size_t>(node().shape.size()), static_cast<std::int8_t>(to().zero_point));
    for (int h = 0; h < in().h; ++h)
      for (int w = 0; w < in().w; ++w)
        std::ranges::copy(inputs[0].subspan(reference::at(in(), h, w, 0), static_cast<std::size_t>(in().c)),
                          y.begin() + static_cast<std::ptrdiff_t>(reference::at(
                                          node().shape, h + op.padding.top, w + op.padding.left, 0)));
    return y;
  }
  std::optional<Output> operator()(const Identity&) const {
    return Output(inputs[0].begin(), inputs[0].end());
  }

  /// QUANTIZE, RELU and RELU6 rescale; hard-swish and hard-sigmoid are not written down here.
  std::optional<Output> operator()(const Activate& op) const {
    if (op.activation == Activation::kHardSwish || op.activation == Activation::kHardSigmoid) return {};
    const auto by = multipliers()[0];
    Output y;
    for (const std::int8_t x : inputs[0])
      y.push_back(finish(scale(x - from().zero_point, by), op.activation));
    return y;
  }
  std::optional<Output> operator()(const auto&) const { return {}; }
};

/// Nothing for an operator whose TensorFlow Lite arithmetic is not written down here.
inline std::optional<std::vector<std::int8_t>> compute_as_tflite(const TfliteNode& node) {
  return std::visit(node, node.node().op);
}

}  // namespace linnet::testing
