// What quantization did to a network, as a web page for a person.
#pragma once

#include <string>

#include "quantize/quantize.h"

namespace linnet::quantize {

/// The page knows these besides what is in a Quantized.
struct PageFacts {
  std::string model;   ///< as it was named
  std::string images;  ///< "92 pictures of photos/"
  Options options;
  std::vector<double> decibels;  ///< signal_to_noise()
};

/// One file of HTML that fetches nothing: the signal-to-noise ratio along the network, and a card a node with
/// the values that were seen, the range that int8 covers, and the weight range of each output channel.
std::string page(const Quantized& quantized, const PageFacts& facts);

/// Bytes of the weights, biases and scales of a graph, float or int8.
std::int64_t constant_bytes(const Graph& graph);

/// Middle of the layers' decibels (Quantized::layers).
double median_decibels(const Quantized& quantized, std::span<const double> decibels);

}  // namespace linnet::quantize
