#include "graph/quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/multiplier.h"

namespace linnet {
namespace {

using numerics::dequantize;
using numerics::quantize;

const Quantization& quantization_of(const Graph& graph, NodeId id) { return *graph[id].quantization; }
const Quantization& input_quantization(const Graph& graph, NodeId id, std::size_t i = 0) {
  return quantization_of(graph, graph[id].inputs[i]);
}

bool is_limit(Activation a) {
  return a == Activation::kNone || a == Activation::kRelu || a == Activation::kRelu6;
}

/// The largest |acc| of each channel: every tap at the end of the input's range that adds most.
std::vector<std::int64_t> accumulator_bounds(const LayerWeights& layer, int zero_x) {
  const auto channels = static_cast<std::size_t>(layer.channels);
  std::vector<std::int64_t> low(channels, 0), high(channels, 0);
  if (!layer.bias.absent())
    for (std::size_t k = 0; k < channels; ++k) low[k] = high[k] = layer.bias.values<std::int32_t>()[k];
  const auto weights = layer.weight.values<std::int8_t>();
  const std::size_t taps = weights.size() / channels;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t k = layer.channels_last ? i % channels : i / taps;
    const std::int64_t w = std::int64_t{weights[i]} - layer.weight_zero_point;
    const std::int64_t a = w * (LINNET_INT8_MIN - zero_x);
    const std::int64_t b = w * (LINNET_INT8_MAX - zero_x);
    low[k] += std::min(a, b);
    high[k] += std::max(a, b);
  }
  for (std::size_t k = 0; k < channels; ++k) high[k] = std::max(std::abs(low[k]), std::abs(high[k]));
  return high;
}

/// Types of a layer's constants; `int8`: those of an int8 graph.
Result<void> expect_types(const LayerWeights& layer, bool int8) {
  const ElementType weight = int8 ? ElementType::kInt8 : ElementType::kFloat32;
  const ElementType bias = int8 ? ElementType::kInt32 : ElementType::kFloat32;
  if (layer.weight.type() != weight)
    return fail("weight is {}, expected {}", to_string(layer.weight.type()), to_string(weight));
  if (!layer.bias.absent() && layer.bias.type() != bias)
    return fail("bias is {}, expected {}", to_string(layer.bias.type()), to_string(bias));
  if (!int8) {
    if (!layer.weight_scale.absent() || layer.weight_zero_point != 0)
      return fail("float weights have no scale and no zero point");
    return {};
  }
  if (layer.weight_scale.type() != ElementType::kFloat32 ||
      layer.weight_scale.dims() != std::vector<int>{layer.channels})
    return fail("weight_scale is {} {}, expected float32 [{}]", to_string(layer.weight_scale.type()),
                to_string(layer.weight_scale), layer.channels);
  if (layer.weight_zero_point < LINNET_INT8_MIN || layer.weight_zero_point > LINNET_INT8_MAX)
    return fail("weight_zero_point is {}, expected one in [-128, 127]", layer.weight_zero_point);
  return {};
}

Result<void> validate_layer(const Graph& graph, NodeId id, const LayerWeights& layer) {
  LINNET_CHECK(expect_types(layer, true));
  if (!is_limit(layer.activation))
    return fail("has the activation {}, which in int8 is a node of its own", to_string(layer.activation));
  const Quantization& x = input_quantization(graph, id);
  const Quantization& y = quantization_of(graph, id);
  const std::vector<std::int64_t> bounds = accumulator_bounds(layer, x.zero_point);
  for (std::size_t k = 0; k < bounds.size(); ++k) {
    const float scale = layer.weight_scale.values()[k];
    if (!numerics::layer_multiplier(x.scale, scale, y.scale))
      return fail("channel {}: the scales {:g} (input), {:g} (weights) and {:g} (output) give no multiplier",
                  k, x.scale, scale, y.scale);
    if (bounds[k] > std::numeric_limits<std::int32_t>::max())
      return fail("channel {}: its accumulator can reach {}, more than an int32 holds", k, bounds[k]);
  }
  return {};
}

Result<void> validate_int8(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  const Quantization& y = quantization_of(graph, id);
  if (!(y.scale >= Quantization::kMinScale && y.scale <= Quantization::kMaxScale))
    return fail("its scale is {:g}, expected one in [{:g}, {:g}]", y.scale, Quantization::kMinScale,
                Quantization::kMaxScale);
  if (y.zero_point < LINNET_INT8_MIN || y.zero_point > LINNET_INT8_MAX)
    return fail("its zero point is {}, expected one in [-128, 127]", y.zero_point);
  if (const auto layer = layer_weights(node.op)) return validate_layer(graph, id, *layer);
  const auto no_multiplier = [] { return fail("its scales are too far apart for int8 arithmetic"); };
  return std::visit(Overloaded{
                        [&](const Add& op) -> Result<void> {
                          if (!is_limit(op.activation))
                            return fail("has the activation {}, which in int8 is a node of its own",
                                        to_string(op.activation));
                          if (!numerics::add_multiplier(input_quantization(graph, id, 0).scale,
                                                        input_quantization(graph, id, 1).scale, y.scale))
                            return no_multiplier();
                          return {};
                        },
                        [&](const Multiply&) -> Result<void> {
                          if (!numerics::product_multiplier(input_quantization(graph, id, 0).scale,
                                                            input_quantization(graph, id, 1).scale, y.scale))
                            return no_multiplier();
                          return {};
                        },
                        [&](const GlobalAveragePool&) -> Result<void> {
                          const std::int64_t pixels = graph[node.inputs[0]].shape.pixels();
                          if (pixels * 255 > std::numeric_limits<std::int32_t>::max())
                            return fail("the sum of {} pixels does not fit an int32", pixels);
                          if (!numerics::average_multiplier(input_quantization(graph, id).scale, y.scale,
                                                            static_cast<int>(pixels)))
                            return no_multiplier();
                          return {};
                        },
                        [&](const Pad&) -> Result<void> {
                          if (input_quantization(graph, id) != y)
                            return fail("must keep the quantization of its input");
                          return {};
                        },
                        [&](const Identity&) -> Result<void> {
                          if (input_quantization(graph, id) != y)
                            return fail("must keep the quantization of its input");
                          return {};
                        },
                        [](const BatchNorm&) -> Result<void> {
                          return fail("has no int8 form; fold it before quantizing");
                        },
                        [](const Softmax&) -> Result<void> {
                          return fail("has no int8 form; an int8 graph ends with its logits");
                        },
                        [](const auto&) -> Result<void> { return {}; },
                    },
                    node.op);
}

}  // namespace

std::optional<LayerWeights> layer_weights(const Op& op) {
  const auto view = [](const auto& o, int channels, bool last) {
    return LayerWeights{o.weight, o.bias, o.weight_scale, o.weight_zero_point, o.activation, channels, last};
  };
  const auto first = [](const Constant& weight) { return weight.absent() ? 0 : weight.dims().front(); };
  return std::visit(Overloaded{
                        [&](const Convolution& o) { return std::optional(view(o, first(o.weight), false)); },
                        [&](const Linear& o) { return std::optional(view(o, first(o.weight), false)); },
                        [&](const Depthwise& o) {
                          return std::optional(view(o, o.weight.absent() ? 0 : o.weight.dims().back(), true));
                        },
                        [](const auto&) { return std::optional<LayerWeights>(); },
                    },
                    op);
}

bool IntegerLayer::exact_in_float(std::size_t k) const {
  return multipliers[k].m == 0 || linnet_is_exact_in_float(bounds[k], multipliers[k]);
}

bool IntegerLayer::exact_in_float() const {
  for (std::size_t k = 0; k < multipliers.size(); ++k)
    if (!exact_in_float(k)) return false;
  return true;
}

linnet_output output_limits(Activation activation, const Quantization& q) {
  linnet_output output = {q.zero_point, LINNET_INT8_MIN, LINNET_INT8_MAX};
  if (activation != Activation::kNone) output.lo = q.zero_point;
  if (activation == Activation::kRelu6) output.hi = quantize(6.0, q.scale, q.zero_point);
  return output;
}

std::array<std::int8_t, 256> activation_table(Activation activation, const Quantization& from,
                                              const Quantization& to) {
  std::array<std::int8_t, 256> table{};
  for (int x = LINNET_INT8_MIN; x <= LINNET_INT8_MAX; ++x) {
    const double real = activate(dequantize(x, from.scale, from.zero_point), activation);
    table[static_cast<std::size_t>(x - LINNET_INT8_MIN)] =
        static_cast<std::int8_t>(quantize(real, to.scale, to.zero_point));
  }
  return table;
}

IntegerLayer integer_layer(const Graph& graph, NodeId id) {
  const LayerWeights weights = *layer_weights(graph[id].op);
  const Quantization& x = input_quantization(graph, id);
  const Quantization& y = quantization_of(graph, id);
  IntegerLayer layer;
  for (const float scale : weights.weight_scale.values())
    layer.multipliers.push_back(*numerics::layer_multiplier(x.scale, scale, y.scale));
  layer.bounds = accumulator_bounds(weights, x.zero_point);
  layer.output = output_limits(weights.activation, y);
  return layer;
}

linnet_add_multiplier add_multiplier_of(const Graph& graph, NodeId id) {
  return *numerics::add_multiplier(input_quantization(graph, id, 0).scale,
                                   input_quantization(graph, id, 1).scale, quantization_of(graph, id).scale);
}

linnet_multiplier product_multiplier_of(const Graph& graph, NodeId id) {
  return *numerics::product_multiplier(input_quantization(graph, id, 0).scale,
                                       input_quantization(graph, id, 1).scale,
                                       quantization_of(graph, id).scale);
}

linnet_multiplier average_multiplier_of(const Graph& graph, NodeId id) {
  const auto pixels = static_cast<int>(graph[graph[id].inputs[0]].shape.pixels());
  return *numerics::average_multiplier(input_quantization(graph, id).scale, quantization_of(graph, id).scale,
                                       pixels);
}

Result<void> validate_arithmetic(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  if (node.quantization.has_value() != is_int8(graph))
    return is_int8(graph) ? fail("is not quantized, while the input is")
                          : fail("is quantized, while the input is not");
  if (is_int8(graph)) return validate_int8(graph, id);
  if (const auto layer = layer_weights(node.op)) return expect_types(*layer, false);
  if (const auto* norm = std::get_if<BatchNorm>(&node.op))
    for (const Constant* c : {&norm->scale, &norm->offset, &norm->mean, &norm->variance})
      if (c->type() != ElementType::kFloat32)
        return fail("its constants are {}, expected float32", to_string(c->type()));
  return {};
}

}  // namespace linnet
