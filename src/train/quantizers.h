// All grids of a network in quantisation-aware training: which tensors have one, and the int8 graph on them.
//
// Training starts from the scales of an int8 form of the network, and what it learns goes through the code
// that made that form: there is one way from float to int8.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "train/network.h"
#include "train/quantizer.h"

namespace linnet::train {

/// The grids of a node's output, and of what that is before the node's own activation, where int8 stores it:
/// nodes of the int8 graph, or -1.
struct NodeGrids {
  NodeId before = -1;
  NodeId output = -1;
};

/// For every node of `graph`, batch norms as they are: its grids in the int8 form of graph. A batch norm that
/// folds into the layer before it leaves that layer's output without a grid, and so does an activation that
/// is fused. Errors: `int8` is no int8 form of `graph`.
Result<std::vector<NodeGrids>> grids_of(const Graph& graph, const Graph& int8);
/// What of an int8 node's grid is learned.
GridRule grid_rule(const Node& node);

class Quantizers {
 public:
  /// Errors: as grids_of().
  static Result<Quantizers> make(const Graph& graph, const Graph& int8);

  /// Values that they take of a network's arrays, in whole cache lines.
  std::size_t trained() const { return trained_; }
  std::size_t followed() const { return followed_; }
  /// Takes them. weights_of(node) gives the weights of a node of the graph.
  void place(const Machine& machine, std::span<float> values, std::span<float> gradients,
             std::span<float> statistics, std::vector<Parameter>& parameters,
             const std::function<Weights(NodeId)>& weights_of);

  ValueQuantizer* before(NodeId node) const { return at(grids_[static_cast<std::size_t>(node)].before); }
  ValueQuantizer* output(NodeId node) const { return at(grids_[static_cast<std::size_t>(node)].output); }
  /// Of a node of the int8 graph, or nullptr: a batch norm that is none of its nodes is a part of another.
  const ValueQuantizer* find(std::string_view name) const;
  /// nullptr for a node without weights.
  WeightQuantizer* weights(NodeId node) const;

  /// The int8 graph of the graph, with its constants as they are now, on the grids as they are now.
  Result<Graph> to_int8(const Graph& graph) const;

 private:
  struct WeightGrid {
    NodeId node;  ///< of the graph
    NodeId int8;  ///< the same layer in the int8 graph
    std::vector<float> initial;
    std::unique_ptr<WeightQuantizer> quantizer = {};
  };
  ValueQuantizer* at(NodeId id) const {
    return id < 0 ? nullptr : values_[static_cast<std::size_t>(id)].get();
  }

  std::vector<Node> int8_;                               ///< without constants
  std::vector<NodeGrids> grids_;                         ///< one a node of the graph
  std::vector<std::unique_ptr<ValueQuantizer>> values_;  ///< one a node of the int8 graph, or nullptr
  std::vector<WeightGrid> weights_;
  std::size_t trained_ = 0;
  std::size_t followed_ = 0;
};

}  // namespace linnet::train
