#include "train/reference.h"

#include <algorithm>
#include <cmath>

#include "train/constants.h"

namespace linnet::train {
namespace {

double slope(double x, Activation activation) {
  switch (activation) {
    case Activation::kNone: return 1;
    case Activation::kRelu: return x > 0 ? 1 : 0;
    case Activation::kRelu6: return x > 0 && x < 6 ? 1 : 0;
    case Activation::kHardSwish: return x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1;
    case Activation::kHardSigmoid: return x > -3 && x < 3 ? 1.0 / 6 : 0;
  }
  return 1;
}

Activation own_activation_of(const Op& op) {
  Op copy = op;
  const Activation* own = own_activation(copy);
  return own ? *own : Activation::kNone;
}

/// Calls visit(y, x, w) with the place of an output, an input and a weight for every product of a window.
template <class Visit>
void for_each_product(const Window& window, const Shape& in, const Shape& out, std::size_t n, bool depthwise,
                      Visit visit) {
  const auto at = [](const Shape& s, std::size_t image, int h, int w, int c) {
    return ((image * static_cast<std::size_t>(s.h) + static_cast<std::size_t>(h)) *
                static_cast<std::size_t>(s.w) +
            static_cast<std::size_t>(w)) *
               static_cast<std::size_t>(s.c) +
           static_cast<std::size_t>(c);
  };
  for (std::size_t image = 0; image < n; ++image)
    for (int ho = 0; ho < out.h; ++ho)
      for (int wo = 0; wo < out.w; ++wo)
        for (int k = 0; k < out.c; ++k)
          for (int r = 0; r < window.kernel_h; ++r)
            for (int s = 0; s < window.kernel_w; ++s) {
              const int h = ho * window.stride_h - window.padding.top + r;
              const int w = wo * window.stride_w - window.padding.left + s;
              if (h < 0 || h >= in.h || w < 0 || w >= in.w) continue;
              const int tap = r * window.kernel_w + s;
              const std::size_t y = at(out, image, ho, wo, k);
              if (depthwise) {
                visit(y, at(in, image, h, w, k), static_cast<std::size_t>(tap * in.c + k));
                continue;
              }
              const int taps = window.kernel_h * window.kernel_w;
              for (int c = 0; c < in.c; ++c)
                visit(y, at(in, image, h, w, c), static_cast<std::size_t>((k * taps + tap) * in.c + c));
            }
}

/// The window of a layer that has one; a linear layer's is a single pixel.
const Window* window_of(const Op& op) {
  static const Window kPixel;
  if (const auto* convolution = std::get_if<Convolution>(&op)) return &convolution->window;
  if (const auto* depthwise = std::get_if<Depthwise>(&op)) return &depthwise->window;
  return std::holds_alternative<Linear>(op) ? &kPixel : nullptr;
}

}  // namespace

Reference::Reference(const Graph& graph, const Noise& noise, std::uint64_t seed)
    : graph_(graph), noise_(noise), random_(seed) {
  for (const Node& node : graph_.nodes)
    for_each_constant(node.op, [&](const Constant& constant, Role, const char* suffix) {
      constants[node.name + suffix].assign(constant.values().begin(), constant.values().end());
    });
}

const std::vector<double>* Reference::constant_of(NodeId id, const char* suffix) const {
  const auto found = constants.find(graph_[id].name + suffix);
  return found == constants.end() ? nullptr : &found->second;
}

std::vector<double>& Reference::gradient_of(NodeId id, const char* suffix) {
  return gradients[graph_[id].name + suffix];
}

Reference::Moments Reference::moments(NodeId x, int channel) const {
  const auto& values = values_[static_cast<std::size_t>(x)];
  const auto c = static_cast<std::size_t>(graph_[x].shape.c);
  const auto count = static_cast<double>(values.size() / c);
  Moments m;
  for (std::size_t i = static_cast<std::size_t>(channel); i < values.size(); i += c)
    m.mean += values[i] / count;
  for (std::size_t i = static_cast<std::size_t>(channel); i < values.size(); i += c)
    m.variance += (values[i] - m.mean) * (values[i] - m.mean) / count;
  return m;
}

/// What a batch norm takes from its input.
Reference::Moments Reference::norm_moments(NodeId id, std::size_t channel) const {
  if (!frozen) return moments(graph_[id].inputs[0], static_cast<int>(channel));
  return {(*constant_of(id, ".running_mean"))[channel], (*constant_of(id, ".running_var"))[channel]};
}

std::pair<std::vector<double>, std::vector<double>> Reference::statistics(const std::string& norm) const {
  std::pair<std::vector<double>, std::vector<double>> result;
  for (NodeId id = 0; id < graph_.size(); ++id) {
    if (graph_[id].name != norm) continue;
    const NodeId x = graph_[id].inputs[0];
    const auto count = static_cast<double>(n_) * static_cast<double>(graph_[x].shape.pixels());
    for (int c = 0; c < graph_[x].shape.c; ++c) {
      const Moments m = moments(x, c);
      result.first.push_back(m.mean);
      result.second.push_back(m.variance * count / std::max(1.0, count - 1));
    }
  }
  return result;
}

double Reference::loss(std::span<const float> images, std::span<const float> targets) {
  n_ = images.size() / static_cast<std::size_t>(graph_.input_shape().size());
  targets_.assign(targets.begin(), targets.end());
  values_.assign(graph_.nodes.size(), {});
  before_.assign(graph_.nodes.size(), {});
  off_grid_values_ = off_grid_before_ = before_;
  values_[0].assign(images.begin(), images.end());
  onto_grid(output_grids, 0, values_[0], off_grid_values_);
  for (NodeId id = 1; id < graph_.size(); ++id) forward(id);
  const auto k = static_cast<std::size_t>(graph_.output_shape().size());
  double sum = 0;
  for (std::size_t image = 0; image < n_; ++image) {
    const std::span row = std::span(scores()).subspan(image * k, k);
    const double largest = *std::ranges::max_element(row);
    double total = 0;
    for (const double score : row) total += std::exp(score - largest);
    for (std::size_t i = 0; i < k; ++i) sum -= targets_[image * k + i] * (row[i] - largest - std::log(total));
  }
  return sum / static_cast<double>(n_);
}

void Reference::forward(NodeId id) {
  const Node& node = graph_[id];
  const auto index = static_cast<std::size_t>(id);
  const auto c = static_cast<std::size_t>(node.shape.c);
  const Shape& in = graph_[node.inputs[0]].shape;
  const auto& x = values_[static_cast<std::size_t>(node.inputs[0])];
  std::vector<double> y(n_ * static_cast<std::size_t>(node.shape.size()), 0.0);
  if (const Window* window = window_of(node.op)) {
    const auto weight = weights_on_grid(id);
    if (const auto* bias = constant_of(id, ".bias"))
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = (*bias)[i % c];
    for_each_product(*window, in, node.shape, n_, std::holds_alternative<Depthwise>(node.op),
                     [&](std::size_t o, std::size_t i, std::size_t w) { y[o] += rounded(x[i] * weight[w]); });
  } else if (const auto* norm = std::get_if<BatchNorm>(&node.op)) {
    for (std::size_t channel = 0; channel < c; ++channel) {
      const Moments m = norm_moments(id, channel);
      const double deviation = std::sqrt(m.variance + double{norm->epsilon});
      for (std::size_t i = channel; i < y.size(); i += c)
        y[i] = rounded((x[i] - m.mean) / deviation * (*constant_of(id, ".weight"))[channel]) +
               (*constant_of(id, ".bias"))[channel];
    }
  } else if (const auto* activation = std::get_if<Activate>(&node.op)) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = rounded(activate(x[i], activation->activation));
  } else if (std::holds_alternative<Add>(node.op)) {
    const auto& b = values_[static_cast<std::size_t>(node.inputs[1])];
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = rounded(x[i] + b[i]);
  } else if (std::holds_alternative<Multiply>(node.op)) {
    const auto& gate = values_[static_cast<std::size_t>(node.inputs[1])];
    const auto size = static_cast<std::size_t>(node.shape.size());
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = rounded(x[i] * gate[i / size * c + i % c]);
  } else if (std::holds_alternative<GlobalAveragePool>(node.op)) {
    const auto size = static_cast<std::size_t>(in.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i / size * c + i % c] += rounded(x[i] / static_cast<double>(in.pixels()));
  } else if (const auto* pad = std::get_if<Pad>(&node.op)) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto pixel = static_cast<std::int64_t>(i / c) % in.pixels();
      const std::int64_t h = pixel / in.w + pad->padding.top;
      const std::int64_t w = pixel % in.w + pad->padding.left;
      const std::size_t image = i / static_cast<std::size_t>(in.size());
      y[image * static_cast<std::size_t>(node.shape.size()) +
        static_cast<std::size_t>(h * node.shape.w + w) * c + i % c] = x[i];
    }
  } else {
    y = x;  // Identity
  }
  if (id != graph_.output)
    for (double& value : y) value = off(value, noise_.stored);
  onto_grid(before_grids, id, y, off_grid_before_);
  before_[index] = y;
  const Activation own = own_activation_of(node.op);
  for (double& value : y) value = activate(value, own);
  onto_grid(output_grids, id, y, off_grid_values_);
  values_[index] = std::move(y);
}

void Reference::backward() {
  gradients.clear();
  for (const auto* grids : {&before_grids, &output_grids})
    for (const auto& [id, grid] : *grids) gradients[grid.name].assign(1, 0.0);
  d_values_.assign(graph_.nodes.size(), {});
  for (std::size_t i = 0; i < values_.size(); ++i) d_values_[i].assign(values_[i].size(), 0.0);
  for (const Node& node : graph_.nodes)
    for_each_constant(node.op, [&](const Constant& constant, Role role, const char* suffix) {
      if (!is_statistic(role)) gradients[node.name + suffix].assign(constant.size(), 0.0);
    });
  const auto k = static_cast<std::size_t>(graph_.output_shape().size());
  auto& d_scores = d_values_[static_cast<std::size_t>(graph_.output)];
  for (std::size_t image = 0; image < n_; ++image) {
    double total = 0;
    const std::span row = std::span(scores()).subspan(image * k, k);
    const double largest = *std::ranges::max_element(row);
    for (const double score : row) total += std::exp(score - largest);
    for (std::size_t i = 0; i < k; ++i)
      d_scores[image * k + i] =
          rounded(std::exp(row[i] - largest) / total - targets_[image * k + i]) / static_cast<double>(n_);
  }
  for (NodeId id = graph_.size(); id-- > 1;) backward(id);
}

void Reference::through_activation(NodeId id, Activation activation) {
  const auto index = static_cast<std::size_t>(id);
  for (std::size_t i = 0; i < d_values_[index].size(); ++i)
    d_values_[index][i] *= slope(before_[index][i], activation);
}

void Reference::backward(NodeId id) {
  const Node& node = graph_[id];
  through_grid(output_grids, id, off_grid_values_);
  through_activation(id, own_activation_of(node.op));
  if (id != graph_.output)
    for (double& d : d_values_[static_cast<std::size_t>(id)]) d = off(d, noise_.stored);
  through_grid(before_grids, id, off_grid_before_);
  const auto c = static_cast<std::size_t>(node.shape.c);
  const Shape& in = graph_[node.inputs[0]].shape;
  const auto& x = values_[static_cast<std::size_t>(node.inputs[0])];
  const auto& dy = d_values_[static_cast<std::size_t>(id)];
  auto& dx = d_values_[static_cast<std::size_t>(node.inputs[0])];
  if (const Window* window = window_of(node.op)) {
    const auto weight = weights_on_grid(id);
    auto& d_weight = gradient_of(id, ".weight");
    if (constant_of(id, ".bias"))
      for (std::size_t i = 0; i < dy.size(); ++i) gradient_of(id, ".bias")[i % c] += rounded(dy[i]);
    for_each_product(*window, in, node.shape, n_, std::holds_alternative<Depthwise>(node.op),
                     [&](std::size_t o, std::size_t i, std::size_t w) {
                       dx[i] += rounded(dy[o] * weight[w]);
                       d_weight[w] += rounded(dy[o] * x[i]);
                     });
    through_weight_grids(id);
  } else if (const auto* norm = std::get_if<BatchNorm>(&node.op)) {
    const auto count = static_cast<double>(x.size() / c);
    for (std::size_t channel = 0; channel < c; ++channel) {
      const Moments m = norm_moments(id, channel);
      const double deviation = std::sqrt(m.variance + double{norm->epsilon});
      double sum = 0;
      double by_x = 0;
      for (std::size_t i = channel; i < x.size(); i += c) {
        sum += rounded(dy[i]);
        by_x += rounded(dy[i] * (x[i] - m.mean) / deviation);
      }
      gradient_of(id, ".bias")[channel] = sum;
      gradient_of(id, ".weight")[channel] = by_x;
      const double scale = (*constant_of(id, ".weight"))[channel] / deviation;
      for (std::size_t i = channel; i < x.size(); i += c)
        dx[i] += rounded(scale * dy[i]) -
                 (frozen ? 0 : rounded(scale * (sum / count + (x[i] - m.mean) / deviation * by_x / count)));
    }
  } else if (const auto* activation = std::get_if<Activate>(&node.op)) {
    for (std::size_t i = 0; i < dy.size(); ++i) dx[i] += rounded(dy[i] * slope(x[i], activation->activation));
  } else if (std::holds_alternative<Add>(node.op)) {
    auto& db = d_values_[static_cast<std::size_t>(node.inputs[1])];
    for (std::size_t i = 0; i < dy.size(); ++i) {
      dx[i] += rounded(dy[i]);
      db[i] += rounded(dy[i]);
    }
  } else if (std::holds_alternative<Multiply>(node.op)) {
    const auto& gate = values_[static_cast<std::size_t>(node.inputs[1])];
    auto& d_gate = d_values_[static_cast<std::size_t>(node.inputs[1])];
    const auto size = static_cast<std::size_t>(node.shape.size());
    for (std::size_t i = 0; i < dy.size(); ++i) {
      const std::size_t g = i / size * c + i % c;
      dx[i] += rounded(dy[i] * gate[g]);
      d_gate[g] += rounded(dy[i] * x[i]);
    }
  } else if (std::holds_alternative<GlobalAveragePool>(node.op)) {
    const auto size = static_cast<std::size_t>(in.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      dx[i] += rounded(dy[i / size * c + i % c] / static_cast<double>(in.pixels()));
  } else if (const auto* pad = std::get_if<Pad>(&node.op)) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto pixel = static_cast<std::int64_t>(i / c) % in.pixels();
      const std::int64_t h = pixel / in.w + pad->padding.top;
      const std::int64_t w = pixel % in.w + pad->padding.left;
      const std::size_t image = i / static_cast<std::size_t>(in.size());
      dx[i] += dy[image * static_cast<std::size_t>(node.shape.size()) +
                  static_cast<std::size_t>(h * node.shape.w + w) * c + i % c];
    }
  } else {
    for (std::size_t i = 0; i < dy.size(); ++i) dx[i] += dy[i];
  }
}

}  // namespace linnet::train
