#include "reference/interpreter.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace linnet::reference {

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return std::max(x, 0.0);
    case Activation::kRelu6: return std::clamp(x, 0.0, 6.0);
    case Activation::kHardSwish: return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
    case Activation::kHardSigmoid: return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
  }
  return x;
}

namespace {

using Inputs = std::span<const std::span<const float>>;

/// Index into HWC data.
std::size_t at(const Shape& shape, int h, int w, int c) {
  return (static_cast<std::size_t>(h) * static_cast<std::size_t>(shape.w) + static_cast<std::size_t>(w)) *
             static_cast<std::size_t>(shape.c) +
         static_cast<std::size_t>(c);
}

float bias_at(const Constant& bias, int k) {
  return bias.absent() ? 0.0f : bias.values()[static_cast<std::size_t>(k)];
}

/// Calls visit(r, s, h, w) for every tap of the window at output (ho, wo) that falls inside the image.
template <class Visit>
void for_each_tap(const Window& window, const Shape& x, int ho, int wo, Visit visit) {
  for (int r = 0; r < window.kernel_h; ++r) {
    const int h = ho * window.stride_h - window.padding.top + r;
    if (h < 0 || h >= x.h) continue;
    for (int s = 0; s < window.kernel_w; ++s) {
      const int w = wo * window.stride_w - window.padding.left + s;
      if (w >= 0 && w < x.w) visit(r, s, h, w);
    }
  }
}

struct Compute {
  const Shape& out;
  std::span<const Shape> shapes;
  Inputs inputs;
  std::span<float> y;

  template <class F>
  void for_each_output(F value) const {
    std::size_t i = 0;
    for (int h = 0; h < out.h; ++h)
      for (int w = 0; w < out.w; ++w)
        for (int c = 0; c < out.c; ++c) y[i++] = static_cast<float>(value(h, w, c));
  }
  template <class F>
  void elementwise(F value) const {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(value(i));
  }
  double x(std::size_t i) const { return inputs[0][i]; }

  void operator()(const Input&) const {}

  void operator()(const Convolution& op) const {
    const Shape& in = shapes[0];
    const auto weight = op.weight.values();
    for_each_output([&](int ho, int wo, int k) {
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
    for_each_output([&](int ho, int wo, int c) {
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
    for_each_output([&](int, int, int k) {
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
    for_each_output([&](int, int, int c) {
      double sum = 0;
      for (int h = 0; h < in.h; ++h)
        for (int w = 0; w < in.w; ++w) sum += x(at(in, h, w, c));
      return sum / static_cast<double>(in.pixels());
    });
  }

  void operator()(const Pad& op) const {
    const Shape& in = shapes[0];
    for_each_output([&](int ho, int wo, int c) {
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

  // Outputs of one node for all images lie side by side; a node's are freed after its last reader.
  std::vector<int> unread = count_uses(graph_);
  std::vector<AlignedVector<float>> outputs(graph_.nodes.size());
  for (NodeId id = 0; id < graph_.size(); ++id) {
    const Node& node = graph_[id];
    const auto size = static_cast<std::size_t>(node.shape.size());
    AlignedVector<float>& y = outputs[static_cast<std::size_t>(id)];
    if (id == 0) {
      y.assign(images.begin(), images.end());
    } else {
      std::vector<Shape> shapes;
      for (const NodeId input : node.inputs) shapes.push_back(graph_[input].shape);
      y.reserve(count * size);
      for (std::size_t image = 0; image < count; ++image) {
        std::vector<std::span<const float>> inputs;
        for (const NodeId input : node.inputs) {
          const auto input_size = static_cast<std::size_t>(graph_[input].shape.size());
          inputs.push_back(std::span<const float>(outputs[static_cast<std::size_t>(input)])
                               .subspan(image * input_size, input_size));
        }
        const AlignedVector<float> one = compute(node, shapes, inputs);
        y.insert(y.end(), one.begin(), one.end());
      }
    }
    if (observer) observer(node, y);
    for (const NodeId input : node.inputs)
      if (--unread[static_cast<std::size_t>(input)] == 0) outputs[static_cast<std::size_t>(input)] = {};
  }
  std::ranges::copy(outputs[static_cast<std::size_t>(graph_.output)], scores.begin());
  return {};
}

}  // namespace linnet::reference
