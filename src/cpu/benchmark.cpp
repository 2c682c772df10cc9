#include "cpu/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>

#include "base/random.h"
#include "cpu/memory.h"
#include "graph/statistics.h"

namespace linnet::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// The value below which that share of the sorted values lies, between two neighbours in proportion.
double quantile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void summarise(std::vector<double> times, BenchResult& result) {
  std::ranges::sort(times);
  const auto n = static_cast<double>(times.size());
  result.runs = static_cast<int>(times.size());
  result.median_ms = quantile(times, 0.5);
  result.p95_ms = quantile(times, 0.95);
  result.min_ms = times.front();
  result.mean_ms = std::accumulate(times.begin(), times.end(), 0.0) / n;
  double squares = 0;
  for (const double t : times) squares += (t - result.mean_ms) * (t - result.mean_ms);
  result.stddev_ms = std::sqrt(squares / n);
}

Result<std::vector<LayerTime>> time_layers(CpuExecutor& executor, std::span<const float> image,
                                           std::span<float> scores, const BenchOptions& options) {
  const Graph& graph = executor.graph();
  const std::vector<NodeStatistics> statistics = node_statistics(graph);
  std::vector<std::vector<double>> times(graph.nodes.size());
  const Clock::time_point start = Clock::now();
  for (int run = 0; run == 0 || (run < options.runs && milliseconds_since(start) < 1e3 * options.seconds);
       ++run) {
    std::vector<double> microseconds(graph.nodes.size(), 0.0);
    LINNET_CHECK(executor.run_timed(image, scores, microseconds));
    for (std::size_t id = 0; id < times.size(); ++id) times[id].push_back(microseconds[id]);
  }
  std::vector<LayerTime> layers;
  for (NodeId id = 1; id < graph.size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    std::ranges::sort(times[i]);
    layers.push_back({.node = id,
                      .name = graph[id].name,
                      .op = std::string(op_name(graph[id].op)),
                      .kernel = std::string(executor.kernel_name(id)),
                      .macs = statistics[i].macs,
                      .microseconds = quantile(times[i], 0.5)});
  }
  return layers;
}

}  // namespace

Result<BenchResult> benchmark(CpuExecutor& executor, const BenchOptions& options) {
  if (options.batch < 1) return usage("a batch of {} images cannot be run; 1 is the least", options.batch);
  const Graph& graph = executor.graph();
  const std::int64_t image_size = graph.input_shape().size();
  const std::int64_t score_size = graph.output_shape().size();
  const std::int64_t floats = options.batch * (image_size + score_size);
  LINNET_TRY(const Workspace memory, Workspace::allocate(floats));
  const std::span<float> images(memory.data(), static_cast<std::size_t>(options.batch * image_size));
  const std::span<float> scores(memory.data() + images.size(),
                                static_cast<std::size_t>(options.batch * score_size));
  Random random(1);
  for (float& x : images) x = random.uniform(-1, 1);

  const Clock::time_point warmup = Clock::now();
  for (int run = 0; run < options.warmup_runs || milliseconds_since(warmup) < 1e3 * options.warmup_seconds;
       ++run)
    LINNET_CHECK(executor.run(options.batch, images, scores));

  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  while (times.empty() || (static_cast<int>(times.size()) < options.runs &&
                           milliseconds_since(start) < 1e3 * options.seconds)) {
    const Clock::time_point before = Clock::now();
    LINNET_CHECK(executor.run(options.batch, images, scores));
    times.push_back(milliseconds_since(before));
  }

  BenchResult result;
  summarise(std::move(times), result);
  result.macs = totals(graph).macs;
  result.images_per_second = 1e3 * options.batch / result.median_ms;
  result.gmacs_per_second = 1e-9 * static_cast<double>(result.macs) * result.images_per_second;
  if (options.layers) {
    LINNET_TRY(result.layers, time_layers(executor, images.first(static_cast<std::size_t>(image_size)),
                                          scores.first(static_cast<std::size_t>(score_size)), options));
  }
  return result;
}

std::int64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmHWM:") continue;
    std::int64_t kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

}  // namespace linnet::cpu
