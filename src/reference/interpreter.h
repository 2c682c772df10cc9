// The textbook interpreter: the oracle that every kernel answers to.
//
// It runs any legal graph as it stands, node by node, with plain loops. Sums are taken in double and rounded
// to float32 once a node, so a node's output is the correctly computed value for its inputs, to within half a
// unit in the last place (and double's own, far smaller, error).
//
// An int8 graph is computed in integers (int8.h), of which the images and scores at its ends and the values
// that an observer sees are the real ones.
#pragma once

#include "base/aligned.h"
#include "graph/executor.h"

namespace linnet::reference {

class Interpreter final : public Executor {
 public:
  /// `graph` must be legal (validate()).
  explicit Interpreter(Graph graph) : graph_(std::move(graph)) {}

  const Graph& graph() const override { return graph_; }
  Result<void> run(int n, std::span<const float> images, std::span<float> scores,
                   const Observer& observer = {}) override;

 private:
  template <class T>
  AlignedVector<T> compute_images(NodeId id, std::size_t count,
                                  std::span<const AlignedVector<T>> outputs) const;
  template <class T>
  void run_as(std::size_t count, std::span<const float> images, std::span<float> scores,
              const Observer& observer) const;

  Graph graph_;
};

/// One node's output for one image, from its inputs: what unit tests of a single operator compare with.
AlignedVector<float> compute(const Node& node, std::span<const Shape> input_shapes,
                             std::span<const std::span<const float>> inputs);

}  // namespace linnet::reference
