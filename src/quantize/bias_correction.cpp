#include "quantize/bias_correction.h"

#include <algorithm>
#include <cmath>

#include "quantize/change_layer.h"
#include "quantize/run.h"
#include "reference/int8.h"

namespace linnet::quantize {
namespace {

using Stored = AlignedVector<std::int8_t>;

/// The layer's biases, each plus `shift`, but those whose bound does not allow it.
void shift_biases(Graph& graph, NodeId id, const std::vector<double>& shift) {
  const auto set = [&](const std::vector<std::int32_t>& values) {
    change_layer(graph[id].op, [&](auto& o) {
      o.bias = Constant({static_cast<int>(values.size())},
                        AlignedVector<std::int32_t>(values.begin(), values.end()));
    });
  };
  const auto before = layer_weights(graph[id].op)->bias.values<std::int32_t>();
  const std::vector<std::int32_t> old(before.begin(), before.end());
  std::vector<std::int32_t> shifted = old;
  constexpr double kMost = 1 << 24;
  for (std::size_t k = 0; k < old.size(); ++k)
    shifted[k] += static_cast<std::int32_t>(std::clamp(std::round(shift[k]), -kMost, kMost));
  set(shifted);
  const IntegerLayer layer = integer_layer(graph, id);
  for (std::size_t k = 0; k < old.size(); ++k)
    if (!layer.exact_in_float(k)) shifted[k] = old[k];
  set(shifted);
}

/// A layer for all images: its accumulators' means are corrected, then they are requantized.
struct LayerPass {
  Graph& graph;
  NodeId id;
  const NodeStatistics& statistics;
  const std::vector<Stored>& inputs;  ///< one an image
  ThreadPool& pool;

  Result<std::vector<Stored>> run() {
    const std::size_t channels = statistics.sum.size();
    std::vector<double> sums(channels, 0.0);
    std::vector<LayerRun> runs;
    for (int thread = 0; thread < pool.threads(); ++thread) {
      LINNET_TRY(LayerRun one, LayerRun::make(graph, id));
      runs.push_back(std::move(one));
    }
    // Sums of integers that double holds exactly: their order does not matter.
    std::vector<std::vector<double>> parts(runs.size(), sums);
    const auto accumulate = [&](std::size_t thread, std::size_t image, auto use) -> Result<void> {
      LINNET_TRY(const auto acc, runs[thread].run(inputs[image], zero_point()));
      use(acc);
      return {};
    };
    LINNET_CHECK(for_each_image(
        pool, inputs.size(),
        [&](std::size_t thread, std::size_t image) {
          return accumulate(thread, image, [&](const AlignedVector<float>& acc) {
            for (std::size_t i = 0; i < acc.size(); i += channels)
              for (std::size_t k = 0; k < channels; ++k) parts[thread][k] += acc[i + k];
          });
        },
        [](std::size_t) {}));
    for (const auto& part : parts)
      for (std::size_t k = 0; k < channels; ++k) sums[k] += part[k];

    const LayerWeights weights = *layer_weights(graph[id].op);
    const auto old = weights.bias.values<std::int32_t>();
    const std::vector<std::int32_t> before(old.begin(), old.end());
    std::vector<double> shift(channels);
    for (std::size_t k = 0; k < channels; ++k) {
      const double unit =
          double{graph[graph[id].inputs[0]].quantization->scale} * weights.weight_scale.values()[k];
      shift[k] = (statistics.sum[k] / unit - sums[k]) / static_cast<double>(statistics.pixels);
    }
    shift_biases(graph, id, shift);

    const auto now = layer_weights(graph[id].op)->bias.values<std::int32_t>();
    const IntegerLayer layer = integer_layer(graph, id);
    std::vector<Stored> outputs(inputs.size());
    LINNET_CHECK(for_each_image(
        pool, inputs.size(),
        [&](std::size_t thread, std::size_t image) -> Result<void> {
          LINNET_TRY(auto acc, runs[thread].run(inputs[image], zero_point()));
          for (std::size_t i = 0; i < acc.size(); i += channels)
            for (std::size_t k = 0; k < channels; ++k) acc[i + k] += static_cast<float>(now[k] - before[k]);
          outputs[image] = requantize(layer, acc);
          return {};
        },
        [](std::size_t) {}));
    return outputs;
  }
  int zero_point() const { return graph[graph[id].inputs[0]].quantization->zero_point; }
};

}  // namespace

Result<Graph> correct_bias(Graph graph, std::span<const NodeStatistics> statistics,
                           std::span<const Image> images, ThreadPool& pool, const Progress& progress) {
  std::vector<int> unread = count_uses(graph);
  std::vector<std::vector<Stored>> outputs(graph.nodes.size());
  for (const Image& image : images)
    outputs[0].push_back(reference::quantize_image(image, *graph[0].quantization));
  for (NodeId id = 1; id < graph.size(); ++id) {
    const auto at = static_cast<std::size_t>(id);
    const std::vector<NodeId> inputs = graph[id].inputs;
    if (layer_weights(graph[id].op)) {
      LayerPass pass{graph, id, statistics[at], outputs[static_cast<std::size_t>(inputs[0])], pool};
      LINNET_TRY(outputs[at], pass.run());
    } else {
      outputs[at].resize(images.size());
      pool.parallel_for(std::ssize(images), [&](std::int64_t begin, std::int64_t end) {
        for (auto image = static_cast<std::size_t>(begin); image < static_cast<std::size_t>(end); ++image) {
          std::vector<std::span<const std::int8_t>> x;
          for (const NodeId input : inputs) x.emplace_back(outputs[static_cast<std::size_t>(input)][image]);
          outputs[at][image] = reference::compute_int8(graph, id, x);
        }
      });
    }
    for (const NodeId input : inputs)
      if (--unread[static_cast<std::size_t>(input)] == 0) outputs[static_cast<std::size_t>(input)] = {};
    if (progress) progress(static_cast<double>(id) / (graph.size() - 1));
  }
  return graph;
}

}  // namespace linnet::quantize
