// Post-training quantization: a float graph and some images become an int8 graph.
//
// docs/quantize.md says what each option does and what it brought on real networks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "quantize/calibrate.h"
#include "quantize/grids.h"
#include "quantize/range.h"

namespace linnet::quantize {

struct Options {
  Method method = Method::kMse;  ///< how the range of an activation is chosen
  bool search_weights = true;    ///< weight scales of the least squared error, else by the largest weight
  bool correct_bias = true;      ///< bias_correction.h
  bool equalise = false;         ///< equalise.h
  int threads = 1;               ///< 1 … 256; changes no bit of the result
  /// Told how far the work is, in shares of 1.
  std::function<void(double)> progress = {};
};

struct Quantized {
  Graph graph;  ///< the int8 graph
  /// The float graph that it was made from: canonical, hard-swish and hard-sigmoid taken off their layers,
  /// equalised if so asked. Node for node the same as `graph`, names included.
  Graph real;
  std::vector<NodeStatistics> statistics;  ///< of `real` on the images, one a node
  /// The nodes that the canonical float graph had: not the input, not the "name.pre" ones.
  std::vector<NodeId> layers;
  std::vector<int> enlarged;  ///< one a node: how many channels had their weight scale enlarged
};

/// `graph` is any legal float graph. Names stay; an activation that had to leave its layer keeps the layer's
/// name, and the layer is called "name.pre". Labels and preprocessing stay, a Softmax at the end does not.
///
/// Every channel of the result may be requantized by a float32 FMA (IntegerLayer::exact_in_float()). The
/// result is the same for any number of threads and any LINNET_ISA, and on every CPU that has a fused
/// multiply-add. Errors: an illegal or an int8 graph, no images or images of another size, values that are
/// not finite.
Result<Quantized> to_int8(const Graph& graph, std::span<const Image> images, const Options& options = {});

/// The float graph that int8 integers are made from: canonical, hard-swish and hard-sigmoid taken off their
/// layers.
Graph real_form(const Graph& graph);

/// real_form(…) of a legal float graph on grids that training learned, made legal where they are not. Biases
/// are not corrected: training has done that. Errors: values that are not finite.
Result<Graph> on_grids(const Graph& real, Grids grids);

/// What stands for pictures where there are none: eight images of uniform noise in [-1, 1), the same on every
/// machine. That is the range of pictures prepared for TensorFlow's and Hugging Face's MobileNets, what
/// `linnet bench` runs on, and what untrained weights are scaled for.
std::vector<Image> noise_images(const Shape& shape, std::uint64_t seed);

/// Signal to quantization noise of every node, in decibels: 10 log10 of the sum of x^2 over the sum of
/// (x - x_int8)^2, on all values of all images; infinite where there is no error.
Result<std::vector<double>> signal_to_noise(const Quantized& quantized, std::span<const Image> images,
                                            int threads = 1);

}  // namespace linnet::quantize
