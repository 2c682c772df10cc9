#include "quantize/calibrate.h"

#include <algorithm>

#include "quantize/run.h"

namespace linnet::quantize {
namespace {

Result<void> add(const Node& node, std::span<const float> before, std::span<const float> output,
                 NodeStatistics& statistics) {
  if (!statistics.values.add(output))
    return fail(
        "node \"{}\" gives values that are not finite: the model's weights are damaged; get the model anew",
        node.name);
  const auto channels = static_cast<std::size_t>(node.shape.c);
  statistics.sum.resize(channels, 0);
  statistics.low.resize(channels, 0);
  statistics.high.resize(channels, 0);
  for (std::size_t i = 0; i < before.size(); i += channels)
    for (std::size_t c = 0; c < channels; ++c) {
      const float v = before[i + c];
      statistics.sum[c] += v;
      statistics.low[c] = std::min(statistics.low[c], v);
      statistics.high[c] = std::max(statistics.high[c], v);
    }
  statistics.pixels += node.shape.pixels();
  return {};
}

void merge(const NodeStatistics& part, NodeStatistics& whole) {
  whole.values.merge(part.values);
  const std::size_t channels = part.sum.size();
  whole.sum.resize(channels, 0);
  whole.low.resize(channels, 0);
  whole.high.resize(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    whole.sum[c] += part.sum[c];
    whole.low[c] = std::min(whole.low[c], part.low[c]);
    whole.high[c] = std::max(whole.high[c], part.high[c]);
  }
  whole.pixels += part.pixels;
}

}  // namespace

Result<std::vector<NodeStatistics>> calibrate(const Graph& graph, std::span<const Image> images,
                                              ThreadPool& pool, const Progress& progress) {
  for (const Image& image : images)
    if (std::ssize(image) != graph.input_shape().size())
      return fail("{}: an image of {} values was given for an input of {}", graph.name, image.size(),
                  to_string(graph.input_shape()));
  std::vector<FloatRun> runs;
  for (int thread = 0; thread < pool.threads(); ++thread) {
    LINNET_TRY(FloatRun run, FloatRun::make(graph));
    runs.push_back(std::move(run));
  }
  std::vector<NodeStatistics> whole(graph.nodes.size());
  // Each image gets statistics of its own, joined in the images' order, so that sums do not depend on who
  // computed what.
  std::vector<std::vector<NodeStatistics>> parts(runs.size());
  std::size_t done = 0;
  LINNET_CHECK(for_each_image(
      pool, images.size(),
      [&](std::size_t thread, std::size_t image) {
        auto& part = parts[thread];
        part.assign(graph.nodes.size(), {});
        return runs[thread].run(
            images[image],
            [&](NodeId id, std::span<const float> before, std::span<const float> output) -> Result<void> {
              return add(graph[id], before, output, part[static_cast<std::size_t>(id)]);
            });
      },
      [&](std::size_t thread) {
        for (std::size_t id = 0; id < whole.size(); ++id) merge(parts[thread][id], whole[id]);
        if (progress) progress(static_cast<double>(++done) / static_cast<double>(images.size()));
      }));
  return whole;
}

}  // namespace linnet::quantize
