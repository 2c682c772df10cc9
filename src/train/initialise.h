// Weights to start training from.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "graph/graph.h"

namespace linnet::train {

enum class Initialisation {
  /// Normal with He's variance over the fan-out for convolutions, deviation 0.01 for linear layers: what
  /// torchvision's MobileNets start from. (He et al., "Delving deep into rectifiers", 2015)
  kHeFanOut,
  /// He over the fan-in for depthwise and windowed layers, Xavier's uniform for pointwise and linear ones.
  /// (Glorot and Bengio, 2010)
  kHeXavier,
};

/// "he", "he-xavier"
std::string_view to_string(Initialisation how);

/// Errors: no such initialisation (kUsage).
Result<Initialisation> parse_initialisation(std::string_view name);

/// The graph with random weights, the same on every machine for one seed; biases are zero, batch norms the
/// identity.
Graph initialise(Graph graph, Initialisation how, std::uint64_t seed);

/// One layer of it, drawn from `random`.
void initialise(Node& node, Initialisation how, Random& random);

}  // namespace linnet::train
