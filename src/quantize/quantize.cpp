#include "quantize/quantize.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "quantize/bias_correction.h"
#include "quantize/equalise.h"

namespace linnet::quantize {
namespace {

constexpr int kMostThreads = 256;

Result<void> check_finite(const Graph& graph) {
  for (const Node& node : graph.nodes)
    if (const auto layer = layer_weights(node.op))
      for (const Constant* constant : {&layer->weight, &layer->bias})
        for (const float v : constant->absent() ? std::span<const float>() : constant->values())
          if (!std::isfinite(v))
            return fail("{}: node \"{}\" has weights that are not finite; get the model anew", graph.name,
                        node.name);
  return {};
}

}  // namespace

Result<Quantized> to_int8(const Graph& graph, std::span<const Image> images, const Options& options) {
  LINNET_CHECK(validate(graph));
  if (is_int8(graph))
    return fail("{}: is int8 already; quantize the float model that it came from", graph.name);
  if (images.empty()) return fail("{}: no images to calibrate with; name a folder that has some", graph.name);
  if (options.threads < 1 || options.threads > kMostThreads)
    return usage("{} threads were asked for; 1 to {} can run", options.threads, kMostThreads);
  ThreadPool pool(options.threads);
  Quantized result;
  const Graph whole = canonical(graph);
  result.real = split_activation(whole);
  for (NodeId id = 1; id < result.real.size(); ++id)
    if (std::ranges::find(whole.nodes, result.real[id].name, &Node::name) != whole.nodes.end())
      result.layers.push_back(id);
  LINNET_CHECK(check_finite(result.real));
  const double passes = 1.0 + options.equalise + 2.0 * options.correct_bias;
  double done = 0;
  const auto tell = [&](double share_of_pass, double length) {
    if (options.progress) options.progress((done + share_of_pass * length) / passes);
    if (share_of_pass == 1) done += length;
  };
  LINNET_TRY(result.statistics, calibrate(result.real, images, pool, [&](double s) { tell(s, 1); }));
  if (options.equalise) {
    result.real = equalise(std::move(result.real), result.statistics);
    LINNET_TRY(result.statistics, calibrate(result.real, images, pool, [&](double s) { tell(s, 1); }));
  }
  Integers integers = to_integers(result.real, {choose_grids(result.real, result.statistics, options.method)},
                                  options.search_weights);
  result.graph = std::move(integers.graph);
  result.enlarged = std::move(integers.enlarged);
  if (options.correct_bias) {
    LINNET_TRY(result.graph, correct_bias(std::move(result.graph), result.statistics, images, pool,
                                          [&](double s) { tell(s, 2); }));
  }
  LINNET_CHECK(validate(result.graph));
  return result;
}

Graph real_form(const Graph& graph) { return split_activation(canonical(graph)); }

Result<Graph> on_grids(const Graph& real, Grids grids) {
  LINNET_CHECK(check_finite(real));
  Graph graph = to_integers(real, legal_grids(real, std::move(grids)), true).graph;
  LINNET_CHECK(validate(graph));
  return graph;
}

std::vector<Image> noise_images(const Shape& shape, std::uint64_t seed) {
  constexpr std::size_t kImages = 8;
  Random random(seed);
  std::vector<Image> images(kImages, Image(static_cast<std::size_t>(shape.size())));
  for (Image& image : images)
    for (float& v : image) v = random.uniform(-1, 1);
  return images;
}

}  // namespace linnet::quantize
