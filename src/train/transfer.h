// A trained network put to other classes: its backbone stays, its head is new.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace linnet::train {

/// `trained` with a new last layer, a class a label: a Linear, or the 1x1 Convolution that TensorFlow's files
/// have in its place; of MobileNetV3's two-layer head the second. Its weights are normal with deviation 0.01
/// from `seed`, its bias is zero; a softmax behind it is dropped. Everything else stays, preprocessing too.
/// Errors: an int8 graph; fewer than two labels; a graph that does not end in such a layer.
Result<Graph> replace_head(Graph trained, std::vector<std::string> labels, std::uint64_t seed);

/// Convolution, depthwise and linear layers before the head of a graph that replace_head() gave: the most of
/// NetworkOptions::frozen_layers that leaves the head to train.
int backbone_layers(const Graph& graph);

/// `graph` with a batch norm behind every convolution and depthwise layer that has none and whose output is
/// larger than one pixel, in the place of its bias: TensorFlow Lite and ONNX files have them folded into the
/// weights. It computes the same; Network::restate_norms() gives the norms statistics to train with. The head
/// stays.
Graph with_norms(const Graph& graph);

/// A graph that replace_head() gave, in two: what the head reads from the pictures, and the head.
struct Halves {
  Graph backbone;
  Graph head;
};
Halves split_at_head(const Graph& graph);
/// `graph` with the constants of the head from `head`, which split_at_head() gave and training changed.
Graph with_head(Graph graph, const Graph& head);

/// `graph` for pictures of pixels x pixels, which its preprocessing resizes in proportion. Padding stays as
/// it is, so TensorFlow's asymmetric one fits sizes of 32 pixels times a whole number. Errors: another size;
/// a graph whose layers do not slide, or pool, over any size.
Result<Graph> with_resolution(Graph graph, int pixels);
/// The same for any size from 1 pixel, for training on the way to a size that fits.
Result<Graph> with_any_resolution(Graph graph, int pixels);

}  // namespace linnet::train
