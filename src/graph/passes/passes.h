// Passes: each takes a legal Graph and returns a legal Graph that computes the same scores. One file a pass.
#pragma once

#include "graph/graph.h"

namespace linnet {

/// Joins every BatchNorm with the convolution, depthwise or linear layer before it; one that stands elsewhere
/// becomes a 1x1 depthwise layer. Afterwards there is no BatchNorm. (w' = w * s, b' = (b - mean) * s + offset
/// with s = scale / sqrt(variance + epsilon), computed in double)
Graph fold_batch_norm(Graph graph);

/// Joins every Activate with the convolution, depthwise, linear or add before it, where nothing else reads
/// that.
Graph fuse_activation(Graph graph);

/// Takes out Identity nodes, padding by nothing and pooling of a single pixel.
Graph remove_identity(Graph graph);

/// Joins every Pad with the windows of the layers that read it, where all its readers have one.
Graph canonical_padding(Graph graph);

/// Takes off a Softmax at the end, so that the output is logits.
Graph strip_softmax(Graph graph);

/// The inverse of fuse_activation() for what no pair of limits expresses: takes hard-swish and hard-sigmoid
/// off the convolution, depthwise, linear or add that computes it, as int8 demands. Node "a" becomes "a.pre",
/// and the activation is the node "a" now. Not part of canonical().
Graph split_activation(Graph graph);

/// All but split_activation() in an order that leaves nothing to do: what an executor is given.
Graph canonical(Graph graph);

}  // namespace linnet
