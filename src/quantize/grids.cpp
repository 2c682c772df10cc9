#include "quantize/grids.h"

#include <algorithm>

#include "graph/quantized.h"
#include "quantize/weights.h"

namespace linnet::quantize {
namespace {

using Values = std::vector<Quantization>;

/// The range that pictures can have at all.
Range picture_range(const Preprocessing& p) {
  Range range;
  for (std::size_t c = 0; c < p.mean.size(); ++c) {
    range.low = std::min(range.low, (0.0 - p.mean[c]) / p.deviation[c]);
    range.high = std::max(range.high, (255 * p.rescale - p.mean[c]) / p.deviation[c]);
  }
  return range;
}

const Quantization& input(const Graph& real, const Values& values, NodeId id, std::size_t i = 0) {
  return values[static_cast<std::size_t>(real[id].inputs[i])];
}

bool keeps_its_inputs_grid(const Op& op) {
  return std::holds_alternative<Pad>(op) || std::holds_alternative<Identity>(op);
}

/// The activation that alone reads node id, or none.
Activation read_by(const Graph& real, NodeId id) {
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

Range range_of(const Graph& real, NodeId id, const Histogram& values, Method method) {
  if (id == 0 && real.preprocessing) {
    const Range range = picture_range(*real.preprocessing);
    return {std::min<double>(range.low, values.low()), std::max<double>(range.high, values.high())};
  }
  // The largest score decides, so scores are never clipped.
  if (id == 0 || id == real.output) return choose_range(values, Method::kMinMax);
  Range range = choose_range(values, method);
  const Activation reader = read_by(real, id);
  if (reader == Activation::kHardSwish || reader == Activation::kHardSigmoid)
    range.low = std::max(range.low, -3.0);                                         // below, either gives 0
  if (reader == Activation::kHardSigmoid) range.high = std::min(range.high, 3.0);  // above, 1
  return range;
}

/// The least scale at which the node's multipliers exist and are exact, from its inputs' grids.
double least_scale(const Graph& real, const Values& values, NodeId id) {
  const auto x = [&](std::size_t i) -> const Quantization& { return input(real, values, id, i); };
  return std::visit(Overloaded{
                        [&](const Add&) { return 0x1p-10 * std::max(x(0).scale, x(1).scale); },
                        [&](const Multiply&) { return 0x1p-20 * x(0).scale * x(1).scale; },
                        [&](const GlobalAveragePool&) {
                          return 0x1p-20 * x(0).scale /
                                 static_cast<double>(real[real[id].inputs[0]].shape.pixels());
                        },
                        [&](const auto&) {
                          return layer_weights(real[id].op) ? least_output_scale(real[id].op, x(0)) : 0.0;
                        },
                    },
                    real[id].op);
}

}  // namespace

Values choose_grids(const Graph& real, std::span<const NodeStatistics> statistics, Method method) {
  Values values;
  for (NodeId id = 0; id < real.size(); ++id) {
    const Histogram& seen = statistics[static_cast<std::size_t>(id)].values;
    values.push_back(keeps_its_inputs_grid(real[id].op)
                         ? input(real, values, id)
                         : quantization_of(range_of(real, id, seen, method), least_scale(real, values, id)));
  }
  return values;
}

Grids legal_grids(const Graph& real, Grids grids) {
  for (NodeId id = 0; id < real.size(); ++id) {
    Quantization& q = grids.values[static_cast<std::size_t>(id)];
    if (keeps_its_inputs_grid(real[id].op))
      q = input(real, grids.values, id);
    else
      q.scale = std::max(q.scale, static_cast<float>(1.0001 * least_scale(real, grids.values, id)));
  }
  return grids;
}

Integers to_integers(const Graph& real, const Grids& grids, bool search) {
  Integers result = {real, std::vector<int>(real.nodes.size(), 0)};
  for (NodeId id = 0; id < real.size(); ++id) {
    const auto at = static_cast<std::size_t>(id);
    Node& node = result.graph[id];
    node.quantization = grids.values[at];
    if (!layer_weights(node.op)) continue;
    IntegerWeights layer = quantize_layer(
        node.op, input(real, grids.values, id), *node.quantization,
        {.search = search, .given = grids.weights.empty() ? std::span<const float>() : grids.weights[at]});
    node.op = std::move(layer.op);
    result.enlarged[at] = layer.enlarged;
  }
  return result;
}

std::vector<WidenedGrid> widened_grids(const Graph& int8) {
  std::vector<WidenedGrid> found;
  for (NodeId id = 0; id < int8.size(); ++id) {
    const Node& node = int8[id];
    if (!layer_weights(node.op)) continue;
    const int channel = widening_channel(node.op, *int8[node.inputs[0]].quantization, *node.quantization);
    if (channel >= 0) found.push_back({id, channel});
  }
  return found;
}

}  // namespace linnet::quantize
