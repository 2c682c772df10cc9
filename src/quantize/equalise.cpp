#include "quantize/equalise.h"

#include <algorithm>
#include <cmath>

#include "graph/quantized.h"
#include "quantize/change_layer.h"

namespace linnet::quantize {
namespace {

constexpr double kRelu6Room = 3;
constexpr int kMostDoublings = 6;  // a channel that is nearly dead is left small

/// The constants of the layer, changed by change(weight index) and change(bias index) factors.
template <class WeightFactor, class BiasFactor>
void scale_layer(Op& op, WeightFactor weight_factor, BiasFactor bias_factor) {
  const auto scaled = [](const Constant& constant, auto factor) {
    const auto values = constant.values();
    AlignedVector<float> result(values.begin(), values.end());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] *= factor(i);
    return Constant(constant.dims(), std::move(result));
  };
  change_layer(op, [&](auto& o) {
    o.weight = scaled(o.weight, weight_factor);
    if (!o.bias.absent()) o.bias = scaled(o.bias, bias_factor);
  });
}

/// The largest magnitude of channel c after the layer's activation.
double output_range(const NodeStatistics& s, std::size_t c, Activation activation) {
  const double high = std::max(0.0, double{s.high[c]});
  if (activation == Activation::kRelu6) return std::min(high, 6.0);
  return activation == Activation::kRelu ? high : std::max(high, -double{s.low[c]});
}

/// The largest weight that each input channel meets; 1 where every channel has a scale of its own.
std::vector<double> input_weights(const Op& op, std::size_t channels) {
  std::vector<double> largest(channels, 0.0);
  if (std::holds_alternative<Depthwise>(op)) return std::vector<double>(channels, 1.0);
  const auto weights = layer_weights(op)->weight.values();
  for (std::size_t i = 0; i < weights.size(); ++i)
    largest[i % channels] = std::max(largest[i % channels], std::abs(double{weights[i]}));
  return largest;
}

/// Powers of two, one a channel of `first`'s output; `second` is its only reader.
std::vector<float> factors(const Op& first, const Op& second, const NodeStatistics& statistics) {
  const Activation activation = layer_weights(first)->activation;
  const std::size_t channels = statistics.high.size();
  const bool own_scale = std::holds_alternative<Depthwise>(second);
  const std::vector<double> weights = input_weights(second, channels);
  std::vector<double> wanted(channels, 0.0);
  double largest = 0;
  for (std::size_t c = 0; c < channels; ++c) {
    const double range = output_range(statistics, c, activation);
    if (range > 0 && weights[c] > 0) wanted[c] = own_scale ? range : std::sqrt(range / weights[c]);
    largest = std::max(largest, wanted[c]);
  }
  std::vector<float> result(channels, 1.0f);
  for (std::size_t c = 0; c < channels; ++c) {
    if (wanted[c] == 0) continue;
    int doublings = std::min(static_cast<int>(std::round(std::log2(largest / wanted[c]))), kMostDoublings);
    if (activation == Activation::kRelu6)
      doublings =
          std::min(doublings, static_cast<int>(std::floor(std::log2(kRelu6Room / statistics.high[c]))));
    result[c] = static_cast<float>(std::ldexp(1.0, -std::max(doublings, 0)));
  }
  return result;
}

}  // namespace

Graph equalise(Graph graph, std::span<const NodeStatistics> statistics) {
  const std::vector<int> uses = count_uses(graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto second = layer_weights(graph[id].op);
    if (!second) continue;
    const NodeId before = graph[id].inputs[0];
    const auto first = layer_weights(graph[before].op);
    if (!first || uses[static_cast<std::size_t>(before)] != 1 || first->activation > Activation::kRelu6)
      continue;
    const std::vector<float> s =
        factors(graph[before].op, graph[id].op, statistics[static_cast<std::size_t>(before)]);
    const std::size_t channels = s.size(), taps = first->weight.size() / channels;
    const bool last = first->channels_last;
    scale_layer(
        graph[before].op, [&](std::size_t i) { return 1 / s[last ? i % channels : i / taps]; },
        [&](std::size_t c) { return 1 / s[c]; });
    scale_layer(
        graph[id].op, [&](std::size_t i) { return s[i % channels]; }, [](std::size_t) { return 1.0f; });
  }
  return graph;
}

}  // namespace linnet::quantize
