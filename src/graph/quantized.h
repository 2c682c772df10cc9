// What the nodes of an int8 graph compute with: multipliers, limits and tables, each a pure function of the
// scales that the graph stores, so none of them is stored itself. The reference, the kernels and the emitters
// all ask here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "numerics/int8.h"

namespace linnet {

/// The weights of a convolution, depthwise or linear layer, float or int8, whichever of the three it is.
struct LayerWeights {
  const Constant& weight;
  const Constant& bias;
  const Constant& weight_scale;
  int weight_zero_point;
  Activation activation;
  int channels;        ///< output channels: K, or C of a depthwise layer
  bool channels_last;  ///< depthwise: the channel is the last axis of `weight`, elsewhere the first
};
/// Nothing for other operators. `op` must outlive what is returned.
std::optional<LayerWeights> layer_weights(const Op& op);

/// An int8 convolution, depthwise or linear layer.
struct IntegerLayer {
  std::vector<linnet_multiplier> multipliers;  ///< one an output channel
  std::vector<std::int64_t> bounds;  ///< the largest |acc| that any int8 input can give, one a channel
  linnet_output output;

  /// Whether channel k may be requantized by a float32 FMA (numerics/int8.h).
  bool exact_in_float(std::size_t k) const;
  /// Whether every channel may.
  bool exact_in_float() const;
};

/// The limits that an activation puts on int8 values: none, relu, relu6.
linnet_output output_limits(Activation activation, const Quantization& q);

/// activation() of every int8 value: entry x + 128 is the answer for x.
std::array<std::int8_t, 256> activation_table(Activation activation, const Quantization& from,
                                              const Quantization& to);

// The following take a legal int8 graph and a node of the kind that their name says.

IntegerLayer integer_layer(const Graph& graph, NodeId id);
linnet_add_multiplier add_multiplier_of(const Graph& graph, NodeId id);
linnet_multiplier product_multiplier_of(const Graph& graph, NodeId id);
linnet_multiplier average_multiplier_of(const Graph& graph, NodeId id);

/// What validate() demands of a node beyond shapes: types of constants everywhere, and in an int8 graph all
/// that graph.h says.
Result<void> validate_arithmetic(const Graph& graph, NodeId id);

}  // namespace linnet
