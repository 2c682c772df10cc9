// A network is a value: plain data that can be copied, compared, printed and validated.
//
// Readers and family builders make one, passes turn one into another, executors run one. A Graph says what is
// computed, never how: no packed weights, no buffers, no batch.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/shape.h"
#include "graph/op.h"
#include "graph/preprocessing.h"

namespace linnet {

/// Index of a node in Graph::nodes. Every operator has one output, so it names a value as well.
using NodeId = int;

/// How a tensor's int8 values stand for real ones: real = (q - zero_point) * scale.
struct Quantization {
  float scale = 1;     ///< in [kMinScale, kMaxScale]
  int zero_point = 0;  ///< in [-128, 127]
  static constexpr float kMinScale = 0x1p-100f;
  static constexpr float kMaxScale = 0x1p100f;
  bool operator==(const Quantization&) const = default;
};

struct Node {
  std::string name;  ///< unique in the graph; torchvision's name where there is one
  Op op;
  std::vector<NodeId> inputs;  ///< each smaller than the node's own index
  Shape shape;                 ///< of the output
  std::optional<Quantization> quantization =
      {};  ///< of the output: at every node of an int8 graph, at none else
  bool operator==(const Node&) const = default;
};

struct Graph {
  std::string name;
  std::vector<Node> nodes;          ///< in an order in which they can be computed; nodes[0] is the Input
  NodeId output = 0;                ///< the scores, {1, 1, classes}
  std::vector<std::string> labels;  ///< one a class, or none
  std::optional<Preprocessing> preprocessing;  ///< as the file says it, or nothing
  Dialect dialect = Dialect::kUnknown;         ///< says the preprocessing where the file does not

  const Node& operator[](NodeId id) const { return nodes[static_cast<std::size_t>(id)]; }
  Node& operator[](NodeId id) { return nodes[static_cast<std::size_t>(id)]; }
  NodeId size() const { return static_cast<NodeId>(nodes.size()); }
  const Shape& input_shape() const { return nodes.front().shape; }
  const Shape& output_shape() const { return (*this)[output].shape; }
  bool operator==(const Graph&) const = default;
};

/// Whether the graph computes in int8 (numerics/int8.h) rather than in float32.
inline bool is_int8(const Graph& graph) {
  return !graph.nodes.empty() && graph.nodes.front().quantization.has_value();
}

/// The shape that `op` gives for inputs of these shapes. Errors: wrong number of inputs, weights that do not
/// fit, a window larger than its padded input, an output that is absurdly large; the text names no node.
Result<Shape> infer_shape(const Op& op, std::span<const Shape> inputs);

/// The executable definition of a legal graph: node 0 and only node 0 is the Input; names are unique and not
/// empty; inputs point backwards; every constant has its dimensions and type; every stored shape is the
/// inferred one; labels are as many as classes. In an int8 graph besides: every node is quantised, every
/// multiplier exists, no accumulator leaves int32, and there is no BatchNorm and no Softmax. Errors name the
/// node.
Result<void> validate(const Graph& graph);

/// A line a node: index, name, operator and its numbers, inputs, shape. For people and for golden tests.
std::string dump(const Graph& graph);

/// How often each node's output is read; the graph's own output counts as one read.
std::vector<int> count_uses(const Graph& graph);

}  // namespace linnet
