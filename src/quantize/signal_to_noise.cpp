#include <cmath>
#include <limits>

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
  Int8Run int8;
  std::vector<std::vector<float>> outputs = {};
  std::vector<Power> powers = {};

  Result<void> run(const Graph& graph, const Image& image) {
    outputs.assign(graph.nodes.size(), {});
    powers.assign(graph.nodes.size(), {});
    LINNET_CHECK(real.run(
        image, [&](NodeId id, std::span<const float>, std::span<const float> output) -> Result<void> {
          outputs[static_cast<std::size_t>(id)].assign(output.begin(), output.end());
          return {};
        }));
    return int8.run(image, [&](NodeId id, std::span<const std::int8_t> output) -> Result<void> {
      const Quantization& q = *graph[id].quantization;
      std::vector<float>& x = outputs[static_cast<std::size_t>(id)];
      Power& power = powers[static_cast<std::size_t>(id)];
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = x[i] - (output[i] - q.zero_point) * double{q.scale};
        power.signal += double{x[i]} * x[i];
        power.noise += error * error;
      }
      x = {};
      return {};
    });
  }
};

}  // namespace

Result<std::vector<double>> signal_to_noise(const Quantized& quantized, std::span<const Image> images,
                                            int threads) {
  ThreadPool pool(threads);
  std::vector<Both> runs;
  for (int thread = 0; thread < threads; ++thread) {
    LINNET_TRY(FloatRun real, FloatRun::make(quantized.real));
    LINNET_TRY(Int8Run int8, Int8Run::make(quantized.graph));
    runs.push_back({std::move(real), std::move(int8)});
  }
  std::vector<Power> total(quantized.graph.nodes.size());
  LINNET_CHECK(for_each_image(
      pool, images.size(),
      [&](std::size_t thread, std::size_t image) { return runs[thread].run(quantized.graph, images[image]); },
      [&](std::size_t thread) {
        for (std::size_t id = 0; id < total.size(); ++id) {
          total[id].signal += runs[thread].powers[id].signal;
          total[id].noise += runs[thread].powers[id].noise;
        }
      }));
  std::vector<double> decibels;
  for (const Power& p : total)
    decibels.push_back(p.noise == 0  ? std::numeric_limits<double>::infinity()
                       : p.signal == 0 ? -std::numeric_limits<double>::infinity()
                                       : 10 * std::log10(p.signal / p.noise));
  return decibels;
}

}  // namespace linnet::quantize
