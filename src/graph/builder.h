// Builds a Graph node by node; what readers and family builders share.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace linnet {

/// Appends nodes and infers their shapes. The first illegal node is remembered and turns finish() into its
/// error, so that a network is written down without a check a line; after it, add() returns ids that mean
/// nothing.
class GraphBuilder {
 public:
  GraphBuilder(std::string name, Shape input, std::string input_name = "input");

  /// Returns the id of the new node. `inputs` are ids that add() or input() returned.
  NodeId add(std::string name, Op op, std::vector<NodeId> inputs);
  NodeId input() const { return 0; }
  /// Makes the node, which add() or input() returned, one of an int8 graph.
  void quantize(NodeId id, Quantization quantization) { graph_[id].quantization = quantization; }
  const std::optional<Quantization>& quantization(NodeId id) const { return graph_[id].quantization; }
  /// The operator of a node that was added, for an activation that turns out to belong to it.
  Op& op(NodeId id) { return graph_[id].op; }
  const std::string& name(NodeId id) const { return graph_[id].name; }
  /// Shape of a node that was added.
  const Shape& shape(NodeId id) const { return graph_[id].shape; }

  /// The validated graph with `output` as its scores, or the first error.
  Result<Graph> finish(NodeId output) &&;

 private:
  Graph graph_;
  Result<void> status_;
};

/// TensorFlow's SAME padding of one axis: the output is ceil(size / stride), the odd row goes to the end.
/// Returns {before, after}. (tf.nn.convolution, "SAME")
std::pair<int, int> same_padding(int size, int kernel, int stride);

}  // namespace linnet
