#include "quantize/weights.h"

#include <algorithm>
#include <cmath>

#include "graph/quantized.h"
#include "numerics/multiplier.h"
#include "quantize/change_layer.h"

namespace linnet::quantize {
namespace {

constexpr double kLargest = -LINNET_WEIGHT_MIN;
/// |acc * multiplier| stays below this: half of what requantizing in float32 allows (numerics/int8.h).
constexpr double kLargestOutput = 0x1p21;
/// The least output scale of a channel, as a share of the largest sum that it can give.
constexpr double kLeastOutput = 4 / kLargestOutput;
/// A multiplier below this would take a whole accumulator of 2^24 to less than a hundredth of a step.
constexpr double kLeastMultiplier = 0x1p-31;
constexpr std::int64_t kLargestAccumulator = std::int64_t{1} << 24;

double largest_magnitude(std::span<const float> values) {
  double largest = 0;
  for (const float v : values) largest = std::max(largest, std::abs(double{v}));
  return largest;
}

/// Nearest, halves away from zero.
std::int8_t stored(float weight, double per_scale) {
  const double q = std::clamp(weight * per_scale, -kLargest, kLargest);
  return static_cast<std::int8_t>(q < 0 ? q - 0.5 : q + 0.5);
}

double squared_error(std::span<const float> weights, double scale) {
  const double per_scale = 1 / scale;
  double sum = 0;
  for (const float w : weights) {
    const double error = w - stored(w, per_scale) * scale;
    sum += error * error;
  }
  return sum;
}

/// A little finer or coarser grid may happen to hit the weights better; of a depthwise channel's nine, often.
double searched_scale(std::span<const float> weights, double scale) {
  constexpr int kFiner = 3, kCoarser = 20;  // thousandths
  double best = scale, least = squared_error(weights, scale);
  for (int step = -kFiner; step <= kCoarser; ++step) {
    const double candidate = scale * (1 + step * 1e-3);
    if (const double e = squared_error(weights, candidate); e < least) {
      least = e;
      best = candidate;
    }
  }
  return best;
}

/// The largest |acc| that an input of zero point zero_x can give.
std::int64_t bound_of(const Channel& channel, int zero_x) {
  std::int64_t low = channel.bias, high = channel.bias;
  for (const std::int64_t w : channel.weights) {
    const std::int64_t a = w * (LINNET_INT8_MIN - zero_x), b = w * (LINNET_INT8_MAX - zero_x);
    low += std::min(a, b);
    high += std::max(a, b);
  }
  return std::max(std::abs(low), std::abs(high));
}

/// The values of channel k, one after the other.
template <class T>
std::vector<T> values_of(const LayerWeights& layer, int k) {
  const auto all = layer.weight.values<T>();
  const auto channels = static_cast<std::size_t>(layer.channels), channel = static_cast<std::size_t>(k);
  const std::size_t taps = all.size() / channels;
  std::vector<T> values(taps);
  for (std::size_t i = 0; i < taps; ++i)
    values[i] = all[layer.channels_last ? i * channels + channel : channel * taps + i];
  return values;
}

double bias_of(const LayerWeights& layer, int k) {
  return layer.bias.absent() ? 0.0 : double{layer.bias.values()[static_cast<std::size_t>(k)]};
}

/// The most that weights times inputs on grid x can add up to, whatever their signs.
template <class T>
double largest_sum(const std::vector<T>& weights, const Quantization& x) {
  const int levels = std::max(LINNET_INT8_MAX - x.zero_point, x.zero_point - LINNET_INT8_MIN);
  double sum = 0;
  for (const T w : weights) sum += std::abs(double{w});
  return sum * levels * x.scale;
}

}  // namespace

Channel quantize_channel(std::span<const float> weights, double bias, const Quantization& x,
                         const Quantization& y, bool search, float given) {
  const double from = x.scale, to = y.scale;
  double scale = given > 0 ? double{given} : largest_magnitude(weights) / kLargest;
  if (search && given <= 0 && scale > 0) scale = searched_scale(weights, scale);
  Channel channel;
  // Weights too small to move the output by a hundredth of a step need no finer grid.
  if (const double least = kLeastMultiplier * to / from; scale < least) {
    scale = least;
    channel.enlarged = true;
  }
  for (;;) {
    channel.scale = static_cast<float>(scale);
    const double multiplier = from * channel.scale / to;
    channel.weights.clear();
    for (const float w : weights) channel.weights.push_back(stored(w, 1 / double{channel.scale}));
    // A bias beyond kLargestOutput saturates the output as well as one at it.
    const double most = kLargestOutput / 2 / multiplier;
    const double wanted = std::round(std::clamp(bias / (from * channel.scale), -most, most));
    channel.bias =
        static_cast<std::int32_t>(std::clamp<double>(wanted, -kLargestAccumulator, kLargestAccumulator));
    const std::int64_t bound = bound_of(channel, x.zero_point);
    const auto by = numerics::layer_multiplier(x.scale, channel.scale, y.scale);
    if (wanted == channel.bias && by && linnet_is_exact_in_float(bound, *by)) return channel;
    channel.enlarged = true;
    // At least by a sixteenth, so that this ends; mostly one step is enough.
    const double excess = std::max(std::abs(wanted), 1.0 * bound) / kLargestAccumulator;
    scale = double{channel.scale} * std::max(17.0 / 16, excess * 1.001);
  }
}

double least_output_scale(const Op& op, const Quantization& x) {
  const auto layer = layer_weights(op);
  double largest = 0;
  for (int k = 0; k < layer->channels; ++k)
    largest = std::max(largest, std::abs(bias_of(*layer, k)) + largest_sum(values_of<float>(*layer, k), x));
  return std::max(kLeastOutput * largest, x.scale * 0x1p-60);
}

int widening_channel(const Op& op, const Quantization& x, const Quantization& y) {
  constexpr double kRounding = 1.05;  // what weights lose or gain when they become integers
  const auto layer = layer_weights(op);
  int widest = -1;
  double least = y.scale / kRounding;
  for (int k = 0; k < layer->channels; ++k) {
    const auto channel = static_cast<std::size_t>(k);
    const double bias =
        layer->bias.absent() ? 0.0 : std::abs(double{x.scale} * layer->bias.values<std::int32_t>()[channel]);
    const double wanted = kLeastOutput * layer->weight_scale.values()[channel] *
                          (bias + largest_sum(values_of<std::int8_t>(*layer, k), x));
    if (wanted < least) continue;
    least = wanted;
    widest = k;
  }
  return widest;
}

IntegerWeights quantize_layer(const Op& op, const Quantization& x, const Quantization& y,
                              const WeightScales& given) {
  const LayerWeights layer = *layer_weights(op);
  const auto channels = static_cast<std::size_t>(layer.channels);
  const std::size_t taps = layer.weight.size() / channels;
  AlignedVector<std::int8_t> weights(layer.weight.size());
  AlignedVector<float> scales(channels);
  AlignedVector<std::int32_t> biases(channels);
  IntegerWeights result;
  for (std::size_t k = 0; k < channels; ++k) {
    const int index = static_cast<int>(k);
    const Channel channel = quantize_channel(values_of<float>(layer, index), bias_of(layer, index), x, y,
                                             given.search, given.given.empty() ? 0.0f : given.given[k]);
    for (std::size_t i = 0; i < taps; ++i)
      weights[layer.channels_last ? i * channels + k : k * taps + i] = channel.weights[i];
    scales[k] = channel.scale;
    biases[k] = channel.bias;
    result.enlarged += channel.enlarged;
  }
  result.op = op;
  const std::vector<int> dims = layer.weight.dims();
  change_layer(result.op, [&](auto& o) {
    o.weight = Constant(dims, std::move(weights));
    o.weight_scale = Constant({layer.channels}, std::move(scales));
    o.bias = Constant({layer.channels}, std::move(biases));
  });
  return result;
}

}  // namespace linnet::quantize
