// Bias correction: what quantization shifts on average, the bias takes back. (Nagel et al., "Data-free
// quantization through weight equalization and bias correction", 2019, section 4.2, with measured means)
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/calibrate.h"

namespace linnet::quantize {

/// Layer after layer, in order: the mean of each channel before its activation, computed in int8 with the
/// layers before already corrected, is brought to that of `statistics`, which calibrate() took on these
/// images from the float graph, node for node. A channel stays as it is where the correction would break its
/// bound (quantize_channel()). Memory: the outputs of all images at the widest point, a byte a value.
Result<Graph> correct_bias(Graph graph, std::span<const NodeStatistics> statistics,
                           std::span<const Image> images, ThreadPool& pool, const Progress& progress = {});

}  // namespace linnet::quantize
