#include "reference/interpreter.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <vector>

#include "reference/int8.h"
#include "reference/window.h"

namespace linnet::reference {

namespace {

using Inputs = std::span<const std::span<const float>>;

float bias_at(const Constant& bias, int k) {
  return bias.absent() ? 0.0f : bias.values()[static_cast<std::size_t>(k)];
}

struct Compute {
  const Shape& out;
  std::span<const Shape> shapes;
  Inputs inputs;
  std::span<float> y;

  template <class F>
  void elementwise(F value) const {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(value(i));
  }
  double x(std::size_t i) const { return inputs[0][i]; }

  void operator()(const Input&) const {}

  void operator()(const Convolution& op) const {
    const Shape& in = shapes[0];
    const auto weight = op.weight.values();
    for_each_output(out, y.data(), [&](int ho, int wo, int k) {
      double sum = bias_at(op.bias, k);
      for_each_tap(op.window, in, ho, wo, [&](int r, int s, int h, int w) {
        const auto tap = static_cast<std::size_t>((k * op.window.kernel_h + r) * op.window.kernel_w + s);
        for (int c = 0; c < in.c; ++c)
          sum +=
              x(at(in, h, w, c)) * weight[tap * static_cast<std::size_t>(in.c) + static_cast<std::size_t>(c)];
      });
      return activate(sum, op.activation);
    });
  }

  void operator()(const Depthwise& op) const {
    const Shape& in = shapes[0];
    const auto weight = op.weight.values();
    for_each_output(out, y.data(), [&](int ho, int wo, int c) {
      double sum = bias_at(op.bias, c);
      for_each_tap(op.window, in, ho, wo, [&](int r, int s, int h, int w) {
        const auto tap = static_cast<std::size_t>(r * op.window.kernel_w + s);
        sum +=
            x(at(in, h, w, c)) * weight[tap * static_cast<std::size_t>(in.c) + static_cast<std::size_t>(c)];
      });
      return activate(sum, op.activation);
    });
  }

  void operator()(const Linear& op) const {
    const auto channels = static_cast<std::size_t>(shapes[0].c);
    for_each_output(out, y.data(), [&](int, int, int k) {
      double sum = bias_at(op.bias, k);
      for (std::size_t c = 0; c < channels; ++c)
        sum += x(c) * op.weight.values()[static_cast<std::size_t>(k) * channels + c];
      return activate(sum, op.activation);
    });
  }

  void operator()(const BatchNorm& op) const {
    elementwise([&](std::size_t i) {
      const std::size_t c = i % static_cast<std::size_t>(out.c);
      return (x(i) - op.mean.values()[c]) / std::sqrt(double{op.variance.values()[c]} + double{op.epsilon}) *
                 op.scale.values()[c] +
             op.offset.values()[c];
    });
  }

  void operator()(const Activate& op) const {
    elementwise([&](std::size_t i) { return activate(x(i), op.activation); });
  }

  void operator()(const Add& op) const {
    elementwise([&](std::size_t i) { return activate(x(i) + inputs[1][i], op.activation); });
  }

  void operator()(const Multiply&) const {
    elementwise([&](std::size_t i) { return x(i) * inputs[1][i % static_cast<std::size_t>(out.c)]; });
  }

  void operator()(const GlobalAveragePool&) const {
    const Shape& in = shapes[0];
    for_each_output(out, y.data(), [&](int, int, int c) {
      double sum = 0;
      for (int h = 0; h < in.h; ++h)
        for (int w = 0; w < in.w; ++w) sum += x(at(in, h, w, c));
      return sum / static_cast<double>(in.pixels());
    });
  }

  void operator()(const Pad& op) const {
    const Shape& in = shapes[0];
    for_each_output(out, y.data(), [&](int ho, int wo, int c) {
      const int h = ho - op.padding.top;
      const int w = wo - op.padding.left;
      return h >= 0 && h < in.h && w >= 0 && w < in.w ? x(at(in, h, w, c)) : 0.0;
    });
  }

  void operator()(const Identity&) const { std::ranges::copy(inputs[0], y.begin()); }

  void operator()(const Softmax&) const {
    const double largest = *std::ranges::max_element(inputs[0]);
    double sum = 0;
    for (const float value : inputs[0]) sum += std::exp(value - largest);
    elementwise([&](std::size_t i) { return std::exp(x(i) - largest) / sum; });
  }
};

}  // namespace

AlignedVector<float> compute(const Node& node, std::span<const Shape> input_shapes, Inputs inputs) {
  AlignedVector<float> y(static_cast<std::size_t>(node.shape.size()));
  std::visit(Compute{node.shape, input_shapes, inputs, y}, node.op);
  return y;
}

Result<void> Interpreter::run(int n, std::span<const float> images, std::span<float> scores,
                              const Observer& observer) {
  const auto image_size = static_cast<std::size_t>(graph_.input_shape().size());
  const auto score_size = static_cast<std::size_t>(graph_.output_shape().size());
  const auto count = static_cast<std::size_t>(n);
  if (n < 1 || images.size() != count * image_size || scores.size() != count * score_size)
    return fail("{}: {} images of {} values give {} scores; {} and {} values were passed", graph_.name, n,
                image_size, count * score_size, images.size(), scores.size());

  if (is_int8(graph_))
    run_as<std::int8_t>(count, images, scores, observer);
  else
    run_as<float>(count, images, scores, observer);
  return {};
}

template <class T>
AlignedVector<T> Interpreter::compute_images(NodeId id, std::size_t count,
                                             std::span<const AlignedVector<T>> outputs) const {
  const Node& node = graph_[id];
  std::vector<Shape> shapes;
  for (const NodeId input : node.inputs) shapes.push_back(graph_[input].shape);
  AlignedVector<T> y;
  y.reserve(count * static_cast<std::size_t>(node.shape.size()));
  for (std::size_t image = 0; image < count; ++image) {
    std::vector<std::span<const T>> inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const auto size = static_cast<std::size_t>(shapes[i].size());
      inputs.push_back(
          std::span<const T>(outputs[static_cast<std::size_t>(node.inputs[i])]).subspan(image * size, size));
    }
    AlignedVector<T> one;
    if constexpr (std::same_as<T, float>)
      one = compute(node, shapes, inputs);
    else
      one = compute_int8(graph_, id, inputs);
    y.insert(y.end(), one.begin(), one.end());
  }
  return y;
}

template <class T>
void Interpreter::run_as(std::size_t count, std::span<const float> images, std::span<float> scores,
                         const Observer& observer) const {
  const auto real = [&](NodeId id, const AlignedVector<T>& values) {
    if constexpr (std::same_as<T, float>)
      return std::span<const float>(values);
    else
      return dequantize(values, *graph_[id].quantization);
  };
  // Outputs of one node for all images lie side by side; a node's are freed after its last reader.
  std::vector<int> unread = count_uses(graph_);
  std::vector<AlignedVector<T>> outputs(graph_.nodes.size());
  for (NodeId id = 0; id < graph_.size(); ++id) {
    AlignedVector<T>& y = outputs[static_cast<std::size_t>(id)];
    if (id > 0)
      y = compute_images<T>(id, count, outputs);
    else if constexpr (std::same_as<T, float>)
      y.assign(images.begin(), images.end());
    else
      y = quantize_image(images, *graph_[0].quantization);
    if (observer) observer(graph_[id], real(id, y));
    for (const NodeId input : graph_[id].inputs)
      if (--unread[static_cast<std::size_t>(input)] == 0) outputs[static_cast<std::size_t>(input)] = {};
  }
  std::ranges::copy(real(graph_.output, outputs[static_cast<std::size_t>(graph_.output)]), scores.begin());
}

}  // namespace linnet::reference
