#include <cmath>
#include <limits>
#include <unordered_map>

#include "quantize/quantize.h"
#include "quantize/run.h"

namespace linnet::quantize {
namespace {

struct Power {
  double signal = 0;
  double noise = 0;
};

/// One image through both graphs.
struct Both {
  FloatRun real;
  std::unique_ptr<cpu::CpuExecutor> int8;
  std::vector<std::vector<float>> outputs = {};
  std::vector<Power> powers = {};

  /// `ids`: of the nodes, by name.
  Result<void> run(const std::unordered_map<std::string_view, std::size_t>& ids, const Image& image) {
    outputs.assign(ids.size(), {});
    powers.assign(ids.size(), {});
    LINNET_CHECK(real.run(
        image, [&](NodeId id, std::span<const float>, std::span<const float> output) -> Result<void> {
          outputs[static_cast<std::size_t>(id)].assign(output.begin(), output.end());
          return {};
        }));
    std::vector<float> scores(static_cast<std::size_t>(int8->graph().output_shape().size()));
    return int8->run(1, image, scores, [&](const Node& node, std::span<const float> y) {
      const std::size_t id = ids.at(node.name);
      const std::vector<float> x = std::exchange(outputs[id], {});
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = double{x[i]} - y[i];
        powers[id].signal += double{x[i]} * x[i];
        powers[id].noise += error * error;
      }
    });
  }
};

}  // namespace

Result<std::vector<double>> signal_to_noise(const Quantized& quantized, std::span<const Image> images,
                                            int threads) {
  ThreadPool pool(threads);
  std::unordered_map<std::string_view, std::size_t> ids;
  for (const Node& node : quantized.graph.nodes) ids.emplace(node.name, ids.size());
  std::vector<Both> runs;
  for (int thread = 0; thread < threads; ++thread) {
    LINNET_TRY(FloatRun real, FloatRun::make(quantized.real));
    LINNET_TRY(auto int8, cpu::make_executor(quantized.graph, {.threads = 1}));
    runs.push_back({std::move(real), std::move(int8)});
  }
  std::vector<Power> total(quantized.graph.nodes.size());
  LINNET_CHECK(for_each_image(
      pool, images.size(),
      [&](std::size_t thread, std::size_t image) { return runs[thread].run(ids, images[image]); },
      [&](std::size_t thread) {
        for (std::size_t id = 0; id < total.size(); ++id) {
          total[id].signal += runs[thread].powers[id].signal;
          total[id].noise += runs[thread].powers[id].noise;
        }
      }));
  std::vector<double> decibels;
  for (const Power& p : total)
    decibels.push_back(p.noise == 0    ? std::numeric_limits<double>::infinity()
                       : p.signal == 0 ? -std::numeric_limits<double>::infinity()
                                       : 10 * std::log10(p.signal / p.noise));
  return decibels;
}

}  // namespace linnet::quantize
