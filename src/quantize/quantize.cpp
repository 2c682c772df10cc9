#include "quantize/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "quantize/bias_correction.h"
#include "quantize/equalise.h"
#include "quantize/weights.h"

namespace linnet::quantize {
namespace {

constexpr int kMostThreads = 256;

/// The range that pictures can have at all.
Range picture_range(const Preprocessing& p) {
  Range range;
  for (std::size_t c = 0; c < p.mean.size(); ++c) {
    range.low = std::min(range.low, (0.0 - p.mean[c]) / p.deviation[c]);
    range.high = std::max(range.high, (255 * p.rescale - p.mean[c]) / p.deviation[c]);
  }
  return range;
}

/// Turns `real` into integers, node by node.
struct Conversion {
  const Graph& real;
  std::span<const NodeStatistics> statistics;
  const Options& options;
  Graph result = real;
  std::vector<int> enlarged = std::vector<int>(real.nodes.size(), 0);

  const Histogram& values(NodeId id) const { return statistics[static_cast<std::size_t>(id)].values; }
  const Quantization& input(NodeId id, std::size_t i = 0) const {
    return *result[real[id].inputs[i]].quantization;
  }

  /// The activation that alone reads node id, or none.
  Activation read_by(NodeId id) const {
    Activation found = Activation::kNone;
    for (const Node& node : real.nodes)
      for (const NodeId x : node.inputs) {
        if (x != id) continue;
        const auto* activate = std::get_if<Activate>(&node.op);
        if (!activate || (found != Activation::kNone && found != activate->activation))
          return Activation::kNone;
        found = activate->activation;
      }
    return id == real.output ? Activation::kNone : found;
  }

  Range range_of(NodeId id) const {
    if (id == 0 && real.preprocessing) {
      const Range range = picture_range(*real.preprocessing);
      return {std::min<double>(range.low, values(id).low()), std::max<double>(range.high, values(id).high())};
    }
    // The largest score decides, so scores are never clipped.
    if (id == 0 || id == real.output) return choose_range(values(id), Method::kMinMax);
    Range range = choose_range(values(id), options.method);
    const Activation reader = read_by(id);
    if (reader == Activation::kHardSwish || reader == Activation::kHardSigmoid)
      range.low = std::max(range.low, -3.0);                                         // below, either gives 0
    if (reader == Activation::kHardSigmoid) range.high = std::min(range.high, 3.0);  // above, 1
    return range;
  }

  /// The least scale at which the node's multipliers exist and are exact.
  double least_scale(NodeId id) const {
    return std::visit(
        Overloaded{
            [&](const Add&) { return 0x1p-10 * std::max(input(id, 0).scale, input(id, 1).scale); },
            [&](const Multiply&) { return 0x1p-20 * input(id, 0).scale * input(id, 1).scale; },
            [&](const GlobalAveragePool&) {
              return 0x1p-20 * input(id).scale / static_cast<double>(real[real[id].inputs[0]].shape.pixels());
            },
            [&](const auto&) {
              return layer_weights(real[id].op) ? least_output_scale(real[id].op, input(id)) : 0.0;
            },
        },
        real[id].op);
  }

  void run() {
    for (NodeId id = 0; id < real.size(); ++id) {
      Node& node = result[id];
      if (std::holds_alternative<Pad>(node.op) || std::holds_alternative<Identity>(node.op)) {
        node.quantization = input(id);
        continue;
      }
      node.quantization = quantization_of(range_of(id), least_scale(id));
      if (!layer_weights(node.op)) continue;
      IntegerWeights layer = quantize_layer(node.op, input(id), *node.quantization, options.search_weights);
      node.op = std::move(layer.op);
      enlarged[static_cast<std::size_t>(id)] = layer.enlarged;
    }
  }
};

Result<void> check_finite(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (const auto layer = layer_weights(node.op))
      for (const Constant* constant : {&layer->weight, &layer->bias})
        for (const float v : constant->absent() ? std::span<const float>() : constant->values())
          if (!std::isfinite(v))
            return fail("{}: node \"{}\" has weights that are not finite; get the model anew", graph.name,
                        node.name);
  return {};
}

}  // namespace

Result<Quantized> to_int8(const Graph& graph, std::span<const Image> images, const Options& options) {
  LINNET_CHECK(validate(graph));
  if (is_int8(graph))
    return fail("{}: is int8 already; quantize the float model that it came from", graph.name);
  if (images.empty()) return fail("{}: no images to calibrate with; name a folder that has some", graph.name);
  if (options.threads < 1 || options.threads > kMostThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMostThreads);
  ThreadPool pool(options.threads);
  Quantized result;
  const Graph whole = canonical(graph);
  result.real = split_activation(whole);
  for (NodeId id = 1; id < result.real.size(); ++id)
    if (std::ranges::find(whole.nodes, result.real[id].name, &Node::name) != whole.nodes.end())
      result.layers.push_back(id);
  LINNET_CHECK(check_finite(result.real));
  const double passes = 1.0 + options.equalise + 2.0 * options.correct_bias;
  double done = 0;
  const auto tell = [&](double share_of_pass, double length) {
    if (options.progress) options.progress((done + share_of_pass * length) / passes);
    if (share_of_pass == 1) done += length;
  };
  LINNET_TRY(result.statistics, calibrate(result.real, images, pool, [&](double s) { tell(s, 1); }));
  if (options.equalise) {
    result.real = equalise(std::move(result.real), result.statistics);
    LINNET_TRY(result.statistics, calibrate(result.real, images, pool, [&](double s) { tell(s, 1); }));
  }
  Conversion conversion{result.real, result.statistics, options};
  conversion.run();
  result.graph = std::move(conversion.result);
  result.enlarged = std::move(conversion.enlarged);
  if (options.correct_bias) {
    LINNET_TRY(result.graph, correct_bias(std::move(result.graph), result.statistics, images, pool,
                                          [&](double s) { tell(s, 2); }));
  }
  LINNET_CHECK(validate(result.graph));
  return result;
}

std::vector<Image> noise_images(const Shape& shape, std::uint64_t seed) {
  constexpr std::size_t kImages = 8;
  Random random(seed);
  std::vector<Image> images(kImages, Image(static_cast<std::size_t>(shape.size())));
  for (Image& image : images)
    for (float& v : image) v = random.uniform(-1, 1);
  return images;
}

}  // namespace linnet::quantize
