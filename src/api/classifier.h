// A graph that labels pictures: preprocessing, an executor, and what its scores mean.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <linnet/linnet.h>

#include "base/aligned.h"
#include "cpu/precision.h"
#include "graph/executor.h"
#include "image/image.h"

namespace linnet {

enum class Backend {
  kCpu,        ///< the fast kernels
  kReference,  ///< the textbook interpreter, slow and exact
};

/// "cpu", "reference"
std::string_view to_string(Backend backend);

/// Runs canonical(graph). threads 0: as many as there are cores. `precision`: absent for the graph's own.
/// Errors: LINNET_ISA names a path that this CPU lacks; a precision that the graph or the back end does not
/// have.
Result<std::unique_ptr<Executor>> make_executor(const Graph& graph, Backend backend, int threads,
                                                std::optional<cpu::Precision> precision = {});

/// As many as there are cores, within what an executor takes.
int default_threads();

/// The `top` most probable classes of one picture, the most probable first; equal ones in the order of their
/// indices. Softmax in double over the scored classes. Errors: a logit that is not finite.
Result<std::vector<Prediction>> predictions(std::span<const float> logits,
                                            const std::vector<std::string>& labels, int top);

/// Not thread-safe.
class Classifier {
 public:
  /// `graph` has its preprocessing (settle_for_pictures).
  static Result<Classifier> make(Graph graph, Backend backend, int threads,
                                 std::optional<cpu::Precision> precision = {});

  const Graph& graph() const { return graph_; }
  Executor& executor() { return *executor_; }

  /// A picture as the executor takes it: H * W * C values of the graph's input.
  Result<AlignedVector<float>> prepare(const image::Image& picture) const;
  /// classes() logits a picture, for n pictures that lie one after the other.
  Result<AlignedVector<float>> logits(int n, std::span<const float> pictures);
  /// prepare, logits and predictions of one picture, with their times.
  Result<Classification> classify(const image::Image& picture, int top);

  int classes() const { return graph_.output_shape().c; }

 private:
  Classifier(Graph graph, std::unique_ptr<Executor> executor)
      : graph_(std::move(graph)), executor_(std::move(executor)) {}

  Graph graph_;
  std::unique_ptr<Executor> executor_;
};

/// Milliseconds since it was made or last asked.
class Stopwatch {
 public:
  double lap();

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace linnet
