// The one interface behind which a graph runs: the reference, the CPU, later a GPU.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "graph/graph.h"

namespace linnet {

/// Sees a node's output, N * H * W * C values of `node.shape`, right after it was computed. Those of an int8
/// graph are the real ones, (q - zero_point) * scale, each of which stands for one stored value.
using Observer = std::function<void(const Node& node, std::span<const float> values)>;

/// Runs one graph. Not thread-safe: one inference at a time an object.
class Executor {
 public:
  virtual ~Executor() = default;

  /// The graph that is run, node for node: what an Observer is told about.
  virtual const Graph& graph() const = 0;
  /// images: n images, each H * W * C of the graph's input. scores: n times the size of the graph's output.
  /// Errors: sizes that do not fit. `observer`, where given, sees every node's output in order.
  virtual Result<void> run(int n, std::span<const float> images, std::span<float> scores,
                           const Observer& observer = {}) = 0;
};

}  // namespace linnet
