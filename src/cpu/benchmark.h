// Times an executor: what `linnet bench` prints.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cpu/ceiling.h"
#include "cpu/executor.h"

namespace linnet::cpu {

struct BenchOptions {
  int batch = 1;
  int warmup_images = 10;       ///< at least so many,
  double warmup_seconds = 0.3;  ///< and for at least so long
  int runs = 100;               ///< timed, but
  double seconds = 20;          ///< no new one is begun after this long
  bool layers = false;          ///< as many runs of one image again, each node timed
};

/// One node of the executor's graph.
struct LayerTime {
  NodeId node = 0;
  std::string name;
  std::string op;
  std::string kernel;           ///< "avx512::pointwise_f32"
  std::int64_t macs = 0;        ///< convolution and linear; padding counted
  std::int64_t bytes = 0;       ///< of inputs, output, weights and biases, each counted once
  double microseconds = 0;      ///< the median over the runs; 0 for an Add that a convolution took over
  double share_of_ceiling = 0;  ///< the median over the runs; 0 without MACs, time or ceiling
};

struct BenchResult {
  int runs = 0;
  double median_ms = 0;  ///< of one run, so of a whole batch
  double mean_ms = 0;
  double min_ms = 0;
  double stddev_ms = 0;
  double p95_ms = 0;
  double images_per_second = 0;  ///< at the median
  std::int64_t macs = 0;         ///< of one image
  double gmacs_per_second = 0;   ///< at the median
  /// Multiply-adds a second, divided by what the same threads reached in registers right before and after:
  /// the median over windows of a few runs; 0 where the ISA has no instruction for the precision.
  double share_of_ceiling = 0;
  double ceiling_gmacs = 0;  ///< the median of those samples, all threads together
  double ceiling_min_gmacs = 0;
  double ceiling_max_gmacs = 0;
  std::vector<LayerTime> layers;  ///< every node but the Input; empty unless asked for
};

/// Runs on images of uniform noise. Errors: a batch below 1, not enough memory.
Result<BenchResult> benchmark(CpuExecutor& executor, const BenchOptions& options = {});

/// Times whatever `run` runs, a batch of images of `macs` multiply-adds each: warm-up, then windows of a few
/// runs between samples of the ceiling, as benchmark() does. Errors: those of `run`.
Result<BenchResult> time_runs(const std::function<Result<void>()>& run, std::int64_t macs,
                              CeilingSampler& ceiling, const BenchOptions& options = {});

/// The process's largest resident set so far, in bytes; 0 where the system does not say.
std::int64_t peak_rss_bytes();

}  // namespace linnet::cpu
