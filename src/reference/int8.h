// int8 graphs in the textbook interpreter: plain loops over numerics/int8.h.
#pragma once

#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "graph/graph.h"

namespace linnet::reference {

/// The output of node `id` of a legal int8 graph for one image, from its inputs. Not for the Input.
AlignedVector<std::int8_t> compute_int8(const Graph& graph, NodeId id,
                                        std::span<const std::span<const std::int8_t>> inputs);

/// The stored values of an image, as the Input node has them.
AlignedVector<std::int8_t> quantize_image(std::span<const float> image, const Quantization& q);

/// The real values of stored ones.
AlignedVector<float> dequantize(std::span<const std::int8_t> values, const Quantization& q);

}  // namespace linnet::reference
