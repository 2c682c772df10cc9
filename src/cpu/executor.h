// Runs a graph on the CPU.
//
// Goals: the fastest float32 the machine has, results that do not depend on the number of threads, no
// allocation while it runs. A graph is made canonical (graph/passes), planned (plan/), and its plan is walked
// stage by stage, one image after the other.
#pragma once

#include <memory>
#include <optional>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/precision.h"
#include "graph/executor.h"
#include "plan/plan.h"

namespace linnet::cpu {

struct Options {
  int threads = 1;              ///< 1 … 256, the calling thread included
  std::optional<Isa> isa = {};  ///< absent: selected_isa(), so LINNET_ISA or the fastest
  /// A depthwise layer runs a few rows at a time together with the convolutions around it where that keeps
  /// more than so many bytes from being stored; absent: half of the L2 cache. It changes no bit.
  std::optional<std::int64_t> fuse_above_bytes = {};
  std::optional<Precision> precision = {};  ///< absent: the graph's own, float32 or int8
  /// For tests: false runs bfloat16 as a CPU does that stores it, but cannot multiply it.
  bool multiply_bf16 = true;
  /// Runs in so many bytes, scores and scratch included, where that is possible (plan/ram_target.h): pixel by
  /// pixel and on one thread, which is slow. It changes no bit.
  std::optional<std::int64_t> ram_bytes = {};
  /// Runs as one stage, in which nothing but the scores exists whole (plan/ram_target.h).
  bool one_stage = false;
  /// false: graph() has weights without values (Constant::without_values()), and memory holds them only once.
  bool keep_constants = true;
};

class CpuExecutor final : public Executor {
 public:
  ~CpuExecutor() override;

  /// The canonical graph, which computes the scores of the one that was given.
  const Graph& graph() const override;
  /// As the interface says. An observer sees each node on its own: residual Adds are then not taken over,
  /// which changes no bit, and memory for all n images at once is allocated for the time of the call.
  Result<void> run(int n, std::span<const float> images, std::span<float> scores,
                   const Observer& observer = {}) override;
  /// One image, and adds to microseconds[id] the time that node took; one value a node. A node that another
  /// took over gets nothing.
  Result<void> run_timed(std::span<const float> image, std::span<float> scores,
                         std::span<double> microseconds);

  Isa isa() const;
  Precision precision() const;
  int threads() const;
  /// Its threads, for whoever measures what they can do between runs.
  ThreadPool& pool();
  /// "avx512::pointwise_f32"; for an Add that a convolution took over the convolution's, and "" for the
  /// Input.
  std::string_view kernel_name(NodeId id) const;
  /// What runs when, and where every byte of it lies.
  const plan::Plan& plan() const;
  /// Activations, scratch and scores of one image; neither the input, which is the caller's, nor weights.
  std::int64_t peak_activation_bytes() const;
  /// Weights as they are packed for the kernels.
  std::int64_t weight_bytes() const;

 private:
  friend Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options);
  struct State;
  explicit CpuExecutor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `graph` is any legal graph. Errors: an illegal graph, a number of threads out of range, an ISA that this
/// CPU lacks, a precision that the graph cannot have, not enough memory; ram_bytes are too few, one stage is
/// impossible.
Result<std::unique_ptr<CpuExecutor>> make_executor(const Graph& graph, const Options& options = {});

}  // namespace linnet::cpu
