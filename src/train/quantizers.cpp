#include "train/quantizers.h"

#include <algorithm>
#include <cmath>

#include "graph/quantized.h"
#include "numerics/int8.h"
#include "quantize/quantize.h"

namespace linnet::train {
namespace {

std::size_t whole_lines(std::size_t n) { return (n + 15) / 16 * 16; }

bool is_hard(Activation a) { return a == Activation::kHardSwish || a == Activation::kHardSigmoid; }

Activation activation_of(Op op) {
  if (const auto* stands_alone = std::get_if<Activate>(&op)) return stands_alone->activation;
  const Activation* own = own_activation(op);
  return own ? *own : Activation::kNone;
}

bool has_no_grid_of_its_own(const Op& op) {
  return std::holds_alternative<Pad>(op) || std::holds_alternative<Identity>(op);
}

NodeId find_node(const Graph& graph, std::string_view name) {
  const auto found = std::ranges::find(graph.nodes, name, &Node::name);
  return found == graph.nodes.end() ? -1 : static_cast<NodeId>(found - graph.nodes.begin());
}

Result<void> check_is_form_of(const Graph& int8, const Graph& real) {
  const auto same = [](const Node& a, const Node& b) {
    return a.name == b.name && a.op.index() == b.op.index() && a.shape == b.shape;
  };
  if (!is_int8(int8) || !std::ranges::equal(int8.nodes, real.nodes, same))
    return fail(
        "{}: training was given an int8 graph that is none of this network's; quantize the network itself",
        real.name);
  return {};
}

/// The largest magnitude of every channel's weights.
std::vector<double> largest_magnitudes(const LayerWeights& layer) {
  const auto channels = static_cast<std::size_t>(layer.channels);
  const std::size_t taps = layer.weight.size() / channels;
  std::vector<double> largest(channels, 0.0);
  for (std::size_t i = 0; i < layer.weight.size(); ++i) {
    double& own = largest[layer.channels_last ? i % channels : i / taps];
    own = std::max(own, std::abs(double{layer.weight.values()[i]}));
  }
  return largest;
}

}  // namespace

Result<std::vector<NodeGrids>> grids_of(const Graph& graph, const Graph& int8) {
  LINNET_CHECK(check_is_form_of(int8, quantize::real_form(graph)));
  std::vector<NodeGrids> grids(graph.nodes.size());
  std::vector<NodeId> joined(graph.nodes.size(), -1);  // the int8 node that a node is a part of
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph[id];
    NodeGrids& own = grids[static_cast<std::size_t>(id)];
    NodeId& part_of = joined[static_cast<std::size_t>(id)];
    part_of = find_node(int8, node.name);
    if (part_of >= 0) {
      if (has_no_grid_of_its_own(int8[part_of].op)) continue;
      const bool split =
          std::holds_alternative<Activate>(int8[part_of].op) && node.op.index() != int8[part_of].op.index();
      own.output = part_of;
      if (!split) continue;
      // Its own activation is a node in int8, or a later node is.
      (is_hard(activation_of(node.op)) ? own.before : own.output) = int8[part_of].inputs[0];
      continue;
    }
    if (!std::holds_alternative<BatchNorm>(node.op) && !std::holds_alternative<Activate>(node.op)) continue;
    const auto from = static_cast<std::size_t>(node.inputs[0]);
    part_of = joined[from];
    if (is_hard(activation_of(node.op)))
      own.output = part_of;
    else
      std::swap(own.output, grids[from].output);
  }
  return grids;
}

GridRule grid_rule(const Node& node) {
  if (std::holds_alternative<Input>(node.op)) return GridRule::kFixed;
  const Activation a = activation_of(node.op);
  return a == Activation::kRelu || a == Activation::kRelu6 ? GridRule::kClip : GridRule::kStep;
}

Result<Quantizers> Quantizers::make(const Graph& graph, const Graph& int8) {
  Quantizers result;
  LINNET_TRY(result.grids_, grids_of(graph, int8));
  const Graph real = quantize::real_form(graph);
  for (NodeId id = 0; id < int8.size(); ++id) {
    const Node& node = int8[id];
    result.int8_.push_back({node.name, node.op, node.inputs, node.shape, node.quantization});
    if (has_no_grid_of_its_own(node.op)) continue;
    (grid_rule(node) == GridRule::kFixed ? result.followed_ : result.trained_) += whole_lines(1);
    result.followed_ += whole_lines(1);
  }
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto raw = layer_weights(graph[id].op);
    if (!raw) continue;
    NodeId layer = find_node(int8, graph[id].name);
    if (layer >= 0 && !layer_weights(int8[layer].op)) layer = int8[layer].inputs[0];
    if (layer < 0) continue;  // nothing reads it
    WeightGrid w = {.node = id, .int8 = layer, .initial = {}};
    const auto scales = layer_weights(int8[layer].op)->weight_scale.values();
    const std::vector<double> before = largest_magnitudes(*raw);
    const std::vector<double> folded = largest_magnitudes(*layer_weights(real[layer].op));
    for (std::size_t k = 0; k < before.size(); ++k)
      w.initial.push_back(static_cast<float>(folded[k] > 0   ? scales[k] * before[k] / folded[k]
                                             : before[k] > 0 ? before[k] / -LINNET_WEIGHT_MIN
                                                             : 1.0));
    result.trained_ += whole_lines(w.initial.size());
    result.weights_.push_back(std::move(w));
  }
  return result;
}

void Quantizers::place(const Machine& machine, std::span<float> values, std::span<float> gradients,
                       std::span<float> statistics, std::vector<Parameter>& parameters,
                       const std::function<Weights(NodeId)>& weights_of) {
  const auto take = [](std::span<float>& from, std::size_t size) {
    const std::span<float> taken = from.first(size);
    from = from.subspan(whole_lines(size));
    return taken;
  };
  for (const Node& node : int8_) {
    auto& quantizer = values_.emplace_back();
    if (has_no_grid_of_its_own(node.op)) continue;
    const GridRule rule = grid_rule(node);
    const bool fixed = rule == GridRule::kFixed;
    const std::span<float> learned = take(fixed ? statistics : values, 1);
    const std::span<float> gradient = fixed ? std::span<float>() : take(gradients, 1);
    quantizer = std::make_unique<ValueQuantizer>(machine, rule, node.shape.size(), learned, gradient,
                                                 take(statistics, 1));
    quantizer->set(*node.quantization);
    if (!fixed)
      parameters.push_back(
          {node.name + (rule == GridRule::kClip ? ".largest" : ".step"), learned, gradient, false});
  }
  for (WeightGrid& w : weights_) {
    const std::span<float> step = take(values, w.initial.size());
    const std::span<float> gradient = take(gradients, w.initial.size());
    std::ranges::copy(w.initial, step.begin());
    const Node& node = int8_[static_cast<std::size_t>(w.int8)];
    w.quantizer = std::make_unique<WeightQuantizer>(machine, weights_of(w.node),
                                                    layer_weights(node.op)->channels_last, step, gradient);
    parameters.push_back({node.name + ".weight_step", step, gradient, false});
  }
}

const ValueQuantizer* Quantizers::find(std::string_view name) const {
  const auto found = std::ranges::find(int8_, name, &Node::name);
  return found == int8_.end() ? nullptr : at(static_cast<NodeId>(found - int8_.begin()));
}

WeightQuantizer* Quantizers::weights(NodeId node) const {
  const auto found = std::ranges::find(weights_, node, &WeightGrid::node);
  return found == weights_.end() ? nullptr : found->quantizer.get();
}

Result<Graph> Quantizers::to_int8(const Graph& graph) const {
  const Graph real = quantize::real_form(graph);
  quantize::Grids grids = {.values = {}, .weights = std::vector<std::vector<float>>(real.nodes.size())};
  for (const auto& quantizer : values_)
    grids.values.push_back(quantizer ? quantizer->get() : Quantization{});  // else its input's
  for (const WeightGrid& w : weights_) {
    const std::vector<double> before = largest_magnitudes(*layer_weights(graph[w.node].op));
    const std::vector<double> folded = largest_magnitudes(*layer_weights(real[w.int8].op));
    auto& scales = grids.weights[static_cast<std::size_t>(w.int8)];
    for (std::size_t k = 0; k < before.size(); ++k) {
      const double step = w.quantizer->step_of(k);
      scales.push_back(static_cast<float>(before[k] > 0 ? step * folded[k] / before[k] : 0.0));
    }
  }
  return quantize::on_grids(real, std::move(grids));
}

}  // namespace linnet::train
