#include "reference/int8.h"

#include <algorithm>
#include <vector>

#include "graph/quantized.h"
#include "numerics/multiplier.h"
#include "reference/window.h"

namespace linnet::reference {
namespace {

using Inputs = std::span<const std::span<const std::int8_t>>;

struct Compute {
  const Graph& graph;
  NodeId id;
  Inputs inputs;
  std::span<std::int8_t> y;

  const Node& node() const { return graph[id]; }
  const Shape& in() const { return graph[node().inputs[0]].shape; }
  int zero_point(std::size_t input) const { return graph[node().inputs[input]].quantization->zero_point; }
  linnet_output limits(Activation activation = Activation::kNone) const {
    return output_limits(activation, *node().quantization);
  }

  /// sum_of(accumulate, ho, wo, k) calls accumulate(x, w) for every tap of output (ho, wo, k). An int32 that
  /// overflows would be a bug of validate(), so the sum is taken in 64 bits.
  template <class SumOf>
  void weighted(SumOf sum_of) const {
    const LayerWeights weights = *layer_weights(node().op);
    const IntegerLayer layer = integer_layer(graph, id);
    const int zero_x = zero_point(0);
    for_each_output(node().shape, y.data(), [&](int ho, int wo, int k) {
      const auto channel = static_cast<std::size_t>(k);
      std::int64_t acc = weights.bias.absent() ? 0 : weights.bias.values<std::int32_t>()[channel];
      sum_of([&](int x, int w) { acc += (x - zero_x) * (w - weights.weight_zero_point); }, ho, wo, k);
      return linnet_requantize(static_cast<std::int32_t>(acc), layer.multipliers[channel], layer.output);
    });
  }

  void operator()(const Convolution& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    const auto channels = static_cast<std::size_t>(in().c);
    weighted([&](auto accumulate, int ho, int wo, int k) {
      for_each_tap(op.window, in(), ho, wo, [&](int r, int s, int h, int w) {
        const auto tap = static_cast<std::size_t>((k * op.window.kernel_h + r) * op.window.kernel_w + s);
        for (std::size_t c = 0; c < channels; ++c)
          accumulate(inputs[0][at(in(), h, w, static_cast<int>(c))], weight[tap * channels + c]);
      });
    });
  }

  void operator()(const Depthwise& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    weighted([&](auto accumulate, int ho, int wo, int c) {
      for_each_tap(op.window, in(), ho, wo, [&](int r, int s, int h, int w) {
        const auto tap = static_cast<std::size_t>(r * op.window.kernel_w + s);
        accumulate(inputs[0][at(in(), h, w, c)],
                   weight[tap * static_cast<std::size_t>(in().c) + static_cast<std::size_t>(c)]);
      });
    });
  }

  void operator()(const Linear& op) const {
    const auto weight = op.weight.values<std::int8_t>();
    const auto channels = static_cast<std::size_t>(in().c);
    weighted([&](auto accumulate, int, int, int k) {
      for (std::size_t c = 0; c < channels; ++c)
        accumulate(inputs[0][c], weight[static_cast<std::size_t>(k) * channels + c]);
    });
  }

  void operator()(const Activate& op) const {
    const auto table =
        activation_table(op.activation, *graph[node().inputs[0]].quantization, *node().quantization);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = linnet_lookup(table.data(), inputs[0][i]);
  }

  void operator()(const Add& op) const {
    const linnet_add_multiplier by = add_multiplier_of(graph, id);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = linnet_add(inputs[0][i], zero_point(0), inputs[1][i], zero_point(1), by, limits(op.activation));
  }

  void operator()(const Multiply&) const {
    const linnet_multiplier by = product_multiplier_of(graph, id);
    const auto channels = static_cast<std::size_t>(node().shape.c);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] =
          linnet_multiply(inputs[0][i], zero_point(0), inputs[1][i % channels], zero_point(1), by, limits());
  }

  void operator()(const GlobalAveragePool&) const {
    const linnet_multiplier by = average_multiplier_of(graph, id);
    for_each_output(node().shape, y.data(), [&](int, int, int c) {
      std::int32_t sum = 0;
      for (int h = 0; h < in().h; ++h)
        for (int w = 0; w < in().w; ++w) sum += inputs[0][at(in(), h, w, c)];
      return linnet_average(sum, static_cast<std::int32_t>(in().pixels()), zero_point(0), by, limits());
    });
  }

  void operator()(const Pad& op) const {
    for_each_output(node().shape, y.data(), [&](int ho, int wo, int c) {
      const int h = ho - op.padding.top;
      const int w = wo - op.padding.left;
      return h >= 0 && h < in().h && w >= 0 && w < in().w ? inputs[0][at(in(), h, w, c)] : zero_point(0);
    });
  }

  void operator()(const Identity&) const { std::ranges::copy(inputs[0], y.begin()); }

  // No int8 graph has these (validate()), and the Input is not computed.
  void operator()(const Input&) const {}
  void operator()(const BatchNorm&) const {}
  void operator()(const Softmax&) const {}
};

}  // namespace

AlignedVector<std::int8_t> compute_int8(const Graph& graph, NodeId id, Inputs inputs) {
  AlignedVector<std::int8_t> y(static_cast<std::size_t>(graph[id].shape.size()));
  std::visit(Compute{graph, id, inputs, y}, graph[id].op);
  return y;
}

AlignedVector<std::int8_t> quantize_image(std::span<const float> image, const Quantization& q) {
  AlignedVector<std::int8_t> values;
  for (const float v : image) values.push_back(numerics::quantize_real(v, 1.0f / q.scale, q.zero_point));
  return values;
}

AlignedVector<float> dequantize(std::span<const std::int8_t> values, const Quantization& q) {
  AlignedVector<float> real;
  for (const std::int8_t v : values) real.push_back(numerics::dequantize_real(v, q.scale, q.zero_point));
  return real;
}

}  // namespace linnet::reference
