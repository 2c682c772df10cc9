#include "train/run/adapt.h"

#include <algorithm>
#include <numeric>

#include "cpu/executor.h"
#include "data/batches.h"
#include "data/stream.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/transfer.h"

namespace linnet::train {
namespace {

constexpr int kBatch = 64;
constexpr int kSteps = 400;  ///< at least; a large data set is seen five times
constexpr float kRate = 3e-3f;
constexpr float kDecay = 0.05f;
constexpr float kSmoothing = 0.1f;

struct Features {
  AlignedVector<float> values;  ///< a row a picture
  std::vector<int> labels;
};

/// Turns every image of [n, H, W, C] left to right.
void mirror(std::span<float> images, const Shape& shape) {
  const std::ptrdiff_t row = std::ptrdiff_t{shape.w} * shape.c;
  for (float* begin = images.data(); begin < images.data() + images.size(); begin += row)
    for (int left = 0, right = shape.w - 1; left < right; ++left, --right)
      std::swap_ranges(begin + left * shape.c, begin + (left + 1) * shape.c, begin + right * shape.c);
}

/// Of every picture and of its mirror image.
Result<Features> features_of(const Graph& backbone, const data::Dataset& pictures, int threads,
                             const AdaptOptions& options) {
  LINNET_TRY(const auto executor, cpu::make_executor(backbone, {.threads = threads, .isa = options.isa}));
  LINNET_TRY(const auto batches, data::Batches::make(pictures, {.size = kBatch,
                                                                .input = backbone.input_shape(),
                                                                .preprocessing = *backbone.preprocessing,
                                                                .epochs = 1,
                                                                .threads = threads,
                                                                .report = options.warn}));
  const Shape input = backbone.input_shape();
  const auto width = static_cast<std::size_t>(backbone.output_shape().size());
  AlignedVector<float> images;
  Features features;
  for (std::size_t seen = 0;;) {
    LINNET_TRY(const data::Batch* const batch, batches->next());
    if (!batch) return features;
    if (batch->images == 0) continue;
    const auto n = static_cast<std::size_t>(batch->images);
    images.assign(batch->pixels.begin(),
                  batch->pixels.begin() + std::ptrdiff_t{batch->images} * input.size());
    for (int side = 0; side < 2; ++side) {
      const std::size_t before = features.values.size();
      features.values.resize(before + n * width);
      LINNET_CHECK(executor->run(batch->images, images, std::span(features.values).subspan(before)));
      features.labels.insert(features.labels.end(), batch->labels.begin(), batch->labels.end());
      mirror(images, input);
    }
    seen += n;
    if (options.progress) options.progress(seen, pictures.items.size());
  }
}

}  // namespace

Result<Graph> fit_head(Graph graph, const data::Dataset& pictures, ThreadPool& pool,
                       const AdaptOptions& options) {
  const Halves halves = split_at_head(graph);
  LINNET_TRY(const Features features, features_of(halves.backbone, pictures, pool.threads(), options));
  const std::size_t count = features.labels.size();
  const std::size_t width = features.values.size() / count;
  const int batch = static_cast<int>(std::min<std::size_t>(kBatch, count));
  const auto n = static_cast<std::size_t>(batch);
  const int classes = halves.head.output_shape().c;
  LINNET_TRY(Network network, Network::make(halves.head, batch, pool, {.isa = options.isa}));
  const auto optimizer = make_adamw(network.parameters(), {.weight_decay = kDecay});
  const auto epoch_steps = static_cast<std::int64_t>(count / n);
  const std::int64_t epochs = std::max<std::int64_t>(5, (kSteps + epoch_steps - 1) / epoch_steps);
  const Schedule schedule{.kind = ScheduleKind::kCosine, .base = kRate, .steps = epochs * epoch_steps};
  std::vector<std::size_t> order(count);
  AlignedVector<float> x(n * width);
  std::vector<int> labels(n);
  std::vector<float> targets(n * static_cast<std::size_t>(classes)), d_scores(targets.size());
  for (std::int64_t step = 0; step < schedule.steps; ++step) {
    const auto at = static_cast<std::size_t>(step % epoch_steps);
    if (at == 0) {
      std::iota(order.begin(), order.end(), std::size_t{0});
      data::shuffle(order, data::stream_of(options.seed, data::Draws::kShuffle, step / epoch_steps));
    }
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t item = order[at * n + i];
      std::copy_n(features.values.begin() + static_cast<std::ptrdiff_t>(item * width), width,
                  x.begin() + static_cast<std::ptrdiff_t>(i * width));
      labels[i] = features.labels[item];
    }
    fill_targets(labels, classes, kSmoothing, targets);
    LINNET_TRY(const std::span<const float> scores, network.forward(x, true));
    softmax_cross_entropy(scores, targets, classes, d_scores);
    LINNET_CHECK(network.backward(d_scores));
    optimizer->step(schedule.rate(step), pool);
  }
  return with_head(std::move(graph), network.to_graph());
}

Result<Graph> restate_norms(const Graph& graph, const data::Dataset& pictures, ThreadPool& pool,
                            const AdaptOptions& options) {
  // Spread over the data set, whose pictures come class by class.
  const std::size_t all = pictures.items.size(), count = std::min<std::size_t>(kBatch, all);
  data::Dataset some{.name = pictures.name, .items = {}, .owner = pictures.owner};
  for (std::size_t i = 0; i < count; ++i) some.items.push_back(pictures.items[i * all / count]);
  LINNET_TRY(const auto batches, data::Batches::make(some, {.size = kBatch,
                                                            .input = graph.input_shape(),
                                                            .preprocessing = *graph.preprocessing,
                                                            .epochs = 1,
                                                            .threads = pool.threads(),
                                                            .report = options.warn}));
  // As frozen, the backbone's values take little memory.
  LINNET_TRY(Network network, Network::make(graph, kBatch, pool,
                                            {.isa = options.isa, .frozen_layers = backbone_layers(graph)}));
  LINNET_TRY(const data::Batch* const batch, batches->next());
  const std::size_t values =
      static_cast<std::size_t>(batch->images) * static_cast<std::size_t>(graph.input_shape().size());
  LINNET_CHECK(network.restate_norms(std::span(batch->pixels).first(values)));
  return network.to_graph();
}

}  // namespace linnet::train
