#include "cpu/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>

#include "base/random.h"
#include "cpu/ceiling.h"
#include "cpu/memory.h"
#include "graph/quantized.h"
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

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return quantile(values, 0.5);
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

/// Of a ceiling in 10^9 multiply-adds a second; 0 where there is none.
double share(double macs, double milliseconds, double ceiling_gmacs) {
  return milliseconds > 0 && ceiling_gmacs > 0 ? 1e-6 * macs / milliseconds / ceiling_gmacs : 0;
}

std::int64_t touched_bytes(const Graph& graph, NodeId id) {
  const std::int64_t element = is_int8(graph) ? 1 : sizeof(float);
  std::int64_t bytes = graph[id].shape.size() * element;
  for (const NodeId input : graph[id].inputs) bytes += graph[input].shape.size() * element;
  if (const auto layer = layer_weights(graph[id].op))
    bytes += static_cast<std::int64_t>(layer->weight.bytes().size() + layer->bias.bytes().size());
  return bytes;
}

Result<std::vector<LayerTime>> time_layers(CpuExecutor& executor, CeilingSampler& ceiling,
                                           std::span<const float> image, std::span<float> scores,
                                           const BenchOptions& options) {
  const Graph& graph = executor.graph();
  const std::vector<NodeStatistics> statistics = node_statistics(graph);
  std::vector<std::vector<double>> times(graph.nodes.size());
  std::vector<std::vector<double>> shares(graph.nodes.size());
  const Clock::time_point start = Clock::now();
  double before = ceiling.gmacs();
  for (int run = 0; run == 0 || (run < options.runs && milliseconds_since(start) < 1e3 * options.seconds);
       ++run) {
    std::vector<double> microseconds(graph.nodes.size(), 0.0);
    LINNET_CHECK(executor.run_timed(image, scores, microseconds));
    const double after = ceiling.gmacs();
    const double around = (before + after) / 2;
    before = after;
    for (std::size_t id = 0; id < times.size(); ++id) {
      times[id].push_back(microseconds[id]);
      shares[id].push_back(share(static_cast<double>(statistics[id].macs), 1e-3 * microseconds[id], around));
    }
  }
  std::vector<LayerTime> layers;
  for (NodeId id = 1; id < graph.size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    layers.push_back({.node = id,
                      .name = graph[id].name,
                      .op = std::string(op_name(graph[id].op)),
                      .kernel = std::string(executor.kernel_name(id)),
                      .macs = statistics[i].macs,
                      .bytes = touched_bytes(graph, id),
                      .microseconds = median(times[i]),
                      .share_of_ceiling = median(shares[i])});
  }
  return layers;
}

}  // namespace

Result<BenchResult> time_runs(const std::function<Result<void>()>& run, std::int64_t macs,
                              CeilingSampler& ceiling, const BenchOptions& options) {
  const Clock::time_point warmup = Clock::now();
  for (int images = 0;
       images < options.warmup_images || milliseconds_since(warmup) < 1e3 * options.warmup_seconds;
       images += options.batch)
    LINNET_CHECK(run());

  BenchResult result;
  result.macs = macs;
  constexpr double kWindowMs = 5;  // long beside a sample of the ceiling, short beside its changes
  std::vector<double> times;
  std::vector<double> ceilings = {ceiling.gmacs()};
  std::vector<double> shares;
  const Clock::time_point start = Clock::now();
  const auto done = [&] {
    return static_cast<int>(times.size()) >= options.runs ||
           milliseconds_since(start) >= 1e3 * options.seconds;
  };
  while (times.empty() || !done()) {
    double window_ms = 0;
    double window_macs = 0;
    do {
      const Clock::time_point before = Clock::now();
      LINNET_CHECK(run());
      times.push_back(milliseconds_since(before));
      window_ms += times.back();
      window_macs += static_cast<double>(macs) * options.batch;
    } while (window_ms < kWindowMs && !done());
    ceilings.push_back(ceiling.gmacs());
    const double around = (ceilings[ceilings.size() - 2] + ceilings.back()) / 2;
    shares.push_back(share(window_macs, window_ms, around));
  }

  summarise(std::move(times), result);
  result.share_of_ceiling = median(shares);
  result.ceiling_gmacs = median(ceilings);
  result.ceiling_min_gmacs = std::ranges::min(ceilings);
  result.ceiling_max_gmacs = std::ranges::max(ceilings);
  result.images_per_second = 1e3 * options.batch / result.median_ms;
  result.gmacs_per_second = 1e-9 * static_cast<double>(macs) * result.images_per_second;
  return result;
}

Result<BenchResult> benchmark(CpuExecutor& executor, const BenchOptions& options) {
  if (options.batch < 1) return usage("a batch of {} images cannot be run; 1 is the least", options.batch);
  const Graph& graph = executor.graph();
  const std::int64_t image_size = graph.input_shape().size();
  const std::int64_t score_size = graph.output_shape().size();
  const std::int64_t floats = options.batch * (image_size + score_size);
  LINNET_TRY(const Workspace memory, Workspace::allocate(floats * static_cast<std::int64_t>(sizeof(float))));
  auto* const data = reinterpret_cast<float*>(memory.data());
  const std::span<float> images(data, static_cast<std::size_t>(options.batch * image_size));
  const std::span<float> scores(data + images.size(), static_cast<std::size_t>(options.batch * score_size));
  Random random(1);
  for (float& x : images) x = random.uniform(-1, 1);

  CeilingSampler ceiling(executor.isa(), executor.pool(), executor.precision());
  LINNET_TRY(BenchResult result, time_runs([&] { return executor.run(options.batch, images, scores); },
                                           totals(graph).macs, ceiling, options));
  if (options.layers) {
    LINNET_TRY(result.layers,
               time_layers(executor, ceiling, images.first(static_cast<std::size_t>(image_size)),
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
