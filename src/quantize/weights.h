// One layer's weights and bias as integers, channel by channel.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace linnet::quantize {

/// An output channel in int8.
struct Channel {
  float scale = 1;                   ///< of the weights; that of the bias is scale_x * scale
  std::vector<std::int8_t> weights;  ///< in [-127, 127]
  std::int32_t bias = 0;
  bool enlarged = false;  ///< the scale is larger than the weights alone ask for
};

/// Where the scales of weights come from.
struct WeightScales {
  bool search = true;  ///< one near the smallest that holds every weight, of the least sum of squared errors;
                       ///< false: the smallest
  std::span<const float> given = {};  ///< these, one a channel, where they are above 0; or nothing
};

/// Quantizes the weights and the bias of one channel between an input and an output of these quantizations.
/// `given` is its scale; 0: chosen, as `search` says.
///
/// Guaranteed, for finite weights and an output scale of at least least_output_scale(): |acc| <= 2^24 for
/// every input, and a float32 FMA requantizes it exactly (linnet_is_exact_in_float()). Where the scale of the
/// weights alone does not give that, or not enough bits for the bias, it is enlarged until it does. So a
/// channel whose weights vanish becomes a constant that keeps its bias.
Channel quantize_channel(std::span<const float> weights, double bias, const Quantization& x,
                         const Quantization& y, bool search, float given = 0);

/// The smallest output scale at which every channel of the float layer `op` can be requantized, whatever its
/// input. Usual ranges are a thousand times above.
double least_output_scale(const Op& op, const Quantization& x);

/// The channel whose arithmetic alone makes the output grid of an int8 layer as coarse as it is, or -1 where
/// the grid is its values' own.
int widening_channel(const Op& op, const Quantization& x, const Quantization& y);

/// The layer in int8, and how many of its channels had their scale enlarged. A relu or relu6 stays, no other
/// activation is allowed.
struct IntegerWeights {
  Op op;
  int enlarged = 0;
};
IntegerWeights quantize_layer(const Op& op, const Quantization& x, const Quantization& y,
                              const WeightScales& scales);

}  // namespace linnet::quantize
