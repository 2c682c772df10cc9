// Cross-layer equalisation: channels that share a scale are made to share a range. (Nagel et al., "Data-free
// quantization through weight equalization and bias correction", 2019, section 4.1)
#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/calibrate.h"

namespace linnet::quantize {

/// Divides channel c of a layer by s_c and multiplies by s_c what the one layer behind it does with that
/// channel. Weights here have a scale a channel, so it is the activation between the two, with one scale for
/// all, whose channels are evened out. Every s_c is a power of two, so float scores keep their bits.
///
/// Legal where the activation is none or relu; relu6 clips at 6 whatever the channel's unit, so there a
/// channel is only scaled as far as all that was seen of it stays below 3: half of the room is left for what
/// was not.
Graph equalise(Graph graph, std::span<const NodeStatistics> statistics);

}  // namespace linnet::quantize
