#include "train/run/trainer.h"

#include <chrono>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/denormals.h"
#include "cpu/executor.h"
#include "data/batches.h"
#include "data/mixup.h"
#include "quantize/images.h"
#include "quantize/quantize.h"
#include "train/loss.h"
#include "train/moving_average.h"
#include "train/run/checkpoint.h"
#include "train/run/teacher.h"
#include "train/transfer.h"

namespace linnet::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::size_t kCalibration = 512;  // pictures that int8's first scales are taken from

/// Of the float epochs.
Schedule schedule_of(const Recipe& recipe, std::int64_t epoch_steps) {
  return {.kind = recipe.schedule,
          .base = recipe.rate,
          .steps = (recipe.epochs - recipe.qat_epochs) * epoch_steps,
          .epoch_steps = epoch_steps,
          .warm_up = std::llround(recipe.warm_up * static_cast<double>(epoch_steps))};
}

/// Of the epochs in quantisation-aware training.
Schedule qat_schedule_of(const Recipe& recipe, std::int64_t epoch_steps) {
  return {.kind = ScheduleKind::kCosine,
          .base = recipe.qat_rate,
          .steps = recipe.qat_epochs * epoch_steps,
          .epoch_steps = epoch_steps};
}

NetworkOptions network_options(const Recipe& recipe, const RunOptions& options) {
  return {.isa = options.isa,
          .precision = recipe.precision,
          .momentum = recipe.norm_momentum,
          .dropout = recipe.dropout,
          .frozen_layers = recipe.frozen_layers,
          .frozen_norms = recipe.frozen_norms,
          .seed = recipe.seed,
          .job = options.job,
          .sync_norms = recipe.sync_norms};
}

std::unique_ptr<Optimizer> optimizer_of(const Recipe& recipe, std::span<const Parameter> parameters) {
  if (recipe.optimizer == OptimizerKind::kAdamW)
    return make_adamw(parameters, {.weight_decay = recipe.weight_decay});
  return make_sgd(
      parameters,
      {.momentum = recipe.momentum, .nesterov = recipe.nesterov, .weight_decay = recipe.weight_decay});
}

/// Recipe and identity in one JSON object.
std::string everything(const Recipe& recipe, const std::string& identity) {
  auto json = nlohmann::ordered_json::parse(to_json(recipe));
  if (!identity.empty()) json.update(nlohmann::ordered_json::parse(identity));
  return json.dump();
}

data::BatchOptions batch_options(const Graph& graph, const Recipe& recipe, const RunOptions& options) {
  return {.size = recipe.batch,
          .input = graph.input_shape(),
          .preprocessing = *graph.preprocessing,
          .seed = recipe.seed,
          .threads = options.loaders,
          .report = options.warn};
}

/// What killed processes left half written beside the checkpoint.
void remove_leftovers(const std::filesystem::path& checkpoint) {
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint.parent_path(), code)) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with(checkpoint.filename().string() + ".part-"))
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace

std::filesystem::path checkpoint_path(const std::filesystem::path& folder) {
  return folder / "checkpoint" / "last.safetensors";
}

/// Of a checkpoint's arrays.
constexpr const char* kWeightsBeforeQat = "weights before qat";
constexpr const char* kStatisticsBeforeQat = "statistics before qat";

struct Trainer::Impl {
  RunData data;
  Recipe recipe;
  ThreadPool& pool;
  RunOptions options;
  Collective& job;
  Graph graph;  ///< as it began
  int classes;
  Network network;  ///< for pictures of `edge` pixels
  int edge;
  std::unique_ptr<Optimizer> optimizer;
  std::optional<MovingAverage> average;
  std::optional<Teacher> teacher = {};
  std::unique_ptr<data::Batches> batches = nullptr;
  data::BatchOptions plain_batches = {};  ///< as they are prepared for validation
  Schedule schedule = {};
  Checkpoint state = {};
  // Of quantisation-aware training:
  Schedule qat_schedule = {};
  std::optional<Graph> before_qat = {};  ///< since it began: the float result
  AlignedVector<float> weights_before_qat = {}, statistics_before_qat = {};
  AlignedVector<float> targets = {};
  AlignedVector<float> d_scores = {};

  Impl(RunData d, const Recipe& r, ThreadPool& p, RunOptions o, Collective& j, Graph g, Network n)
      : data(std::move(d)),
        recipe(r),
        pool(p),
        options(std::move(o)),
        job(j),
        graph(std::move(g)),
        classes(graph.output_shape().c),
        network(std::move(n)),
        edge(full_edge()),
        optimizer(optimizer_of(recipe, network.parameters())) {
    if (recipe.average > 0) average.emplace(network, recipe.average);
  }

  /// Everything that changes from step to step.
  std::map<std::string, std::span<float>> arrays() {
    std::map<std::string, std::span<float>> result = {{"weights", network.values()},
                                                      {"statistics", network.statistics()},
                                                      {"optimizer", optimizer->state()}};
    if (average) result["average"] = average->state();
    if (before_qat) {
      result[kWeightsBeforeQat] = weights_before_qat;
      result[kStatisticsBeforeQat] = statistics_before_qat;
    }
    return result;
  }
  std::int64_t epoch_steps() const { return schedule.epoch_steps; }
  std::int64_t all_steps() const { return schedule.steps + qat_schedule.steps; }
  float rate(std::int64_t step) const {
    return step < schedule.steps ? schedule.rate(step) : qat_schedule.rate(step - schedule.steps);
  }

  bool first() const { return job.rank() == 0; }
  int full_edge() const { return graph.input_shape().h; }
  /// Of the pictures of this step.
  int edge_of(std::int64_t step) const {
    if (step >= schedule.steps) return full_edge();
    return edge_in(recipe.progressive, static_cast<int>(step / epoch_steps()),
                   static_cast<int>(schedule.steps / epoch_steps()), full_edge());
  }
  /// What this step costs, in steps of full size.
  double cost_of(std::int64_t step) const {
    const double scale = static_cast<double>(edge_of(step)) / full_edge();
    return scale * scale;
  }
  /// What the steps from this one on cost.
  double cost_left() const {
    double cost = 0;
    for (std::int64_t step = state.step; step < all_steps();) {
      const std::int64_t next = (step / epoch_steps() + 1) * epoch_steps();
      cost += static_cast<double>(next - step) * cost_of(step);
      step = next;
    }
    return cost;
  }

  Result<void> restore(Checkpoint checkpoint);
  void begin_together();
  Result<void> take_size(int pixels);
  Result<void> open_batches();
  Result<void> begin_qat();
  Result<void> call_teacher();
  void save();
  void fill_targets(const data::Batch& batch);
  Result<void> train_on(const data::Batch& batch);
  Result<EpochRecord> close_epoch();
  Result<void> validate(EpochRecord& record);
  Result<Loss> sum_validation(const data::Dataset& part, std::int64_t& images);
  void swap_average() {
    if (average) average->swap();
  }
};

Result<void> Trainer::Impl::restore(Checkpoint checkpoint) {
  const std::string path = checkpoint_path(options.folder).string();
  if (const std::string difference = first_difference(state.recipe, checkpoint.recipe); !difference.empty())
    return usage(
        "{}: the run that it belongs to was another: {}. Say the same as then, or give --out another folder",
        path, difference);
  const auto take = [&](std::span<float> values, std::string_view name) -> Result<void> {
    const auto saved = checkpoint.arrays.find(name);
    const std::size_t size = saved == checkpoint.arrays.end() ? 0 : saved->second.size();
    if (size != values.size())
      return fail("{}: holds {} values of \"{}\" where this network has {}", path, size, name, values.size());
    if (size > 0) std::ranges::copy(saved->second, values.begin());
    return {};
  };
  if (checkpoint.arrays.contains(kWeightsBeforeQat)) {
    LINNET_CHECK(take(network.values(), kWeightsBeforeQat));
    LINNET_CHECK(take(network.statistics(), kStatisticsBeforeQat));
    LINNET_CHECK(begin_qat());
  }
  for (const auto& [name, values] : arrays()) LINNET_CHECK(take(values, name));
  if (checkpoint.step < 0 || checkpoint.step > all_steps())
    return fail("{}: says it is at step {} of {}", path, checkpoint.step, all_steps());
  if (checkpoint.ranks != job.size() && options.warn)
    options.warn(Error{fmt::format("{}: is of a run of {} processes. It goes on with {}, to other last bits",
                                   path, checkpoint.ranks, job.size())});
  state = std::move(checkpoint);
  state.ranks = job.size();
  state.arrays.clear();
  return {};
}

/// Every rank begins where rank 0 does.
void Trainer::Impl::begin_together() {
  std::vector<double> steps(static_cast<std::size_t>(job.size()));
  const auto own = static_cast<double>(state.step);
  job.gather(std::span(&own, 1), steps);
  state.step = static_cast<std::int64_t>(steps[0]);
  network.set_steps(static_cast<std::uint64_t>(state.step));
  for (const auto& [name, values] : arrays()) job.broadcast(values);
}

/// The network for pictures of another size, with all its state; and the batches to follow.
Result<void> Trainer::Impl::take_size(int pixels) {
  LINNET_TRY(const Graph sized, with_any_resolution(graph, pixels));
  LINNET_TRY(Network next,
             Network::make(sized, recipe.batch / job.size(), pool, network_options(recipe, options)));
  std::map<std::string, AlignedVector<float>> state_before;
  for (const auto& [name, values] : arrays()) state_before[name].assign(values.begin(), values.end());
  network = std::move(next);
  network.set_steps(static_cast<std::uint64_t>(state.step));
  optimizer = optimizer_of(recipe, network.parameters());
  if (average) average.emplace(network, recipe.average);
  for (const auto& [name, values] : arrays()) std::ranges::copy(state_before[name], values.begin());
  edge = pixels;
  LINNET_CHECK(call_teacher());
  plain_batches = batch_options(sized, recipe, options);
  plain_batches.size /= job.size();
  return {};
}

/// From this step on, to the last of its size.
Result<void> Trainer::Impl::open_batches() {
  batches.reset();
  data::BatchOptions augmented = plain_batches;
  augmented.size = recipe.batch;
  augmented.part = job.rank();
  augmented.parts = job.size();
  augmented.augmentation = scaled(recipe.augmentation, static_cast<double>(edge) / full_edge());
  augmented.mixup = recipe.mixup;
  augmented.epochs = recipe.epochs;
  LINNET_TRY(batches, data::Batches::make(data.train, augmented,
                                          {state.step / epoch_steps(), state.step % epoch_steps()}));
  return {};
}

/// From the network's float weights to the one that is quantisation-aware: what the weights are alone decides
/// what comes out, so that a resumed run takes this step again.
Result<void> Trainer::Impl::begin_qat() {
  before_qat = network.to_graph();
  weights_before_qat.assign(network.values().begin(), network.values().end());
  statistics_before_qat.assign(network.statistics().begin(), network.statistics().end());
  LINNET_TRY(const auto images, quantize::read_images(*before_qat, data.train, kCalibration));
  quantize::Options usual;
  usual.correct_bias = false;  // training corrects it
  usual.threads = pool.threads();
  LINNET_TRY(quantize::Quantized start, quantize::to_int8(*before_qat, images, usual));
  NetworkOptions aware = network_options(recipe, options);
  aware.precision = cpu::Precision::kFloat32;
  aware.int8 = std::move(start.graph);
  LINNET_TRY(network, Network::make(*before_qat, recipe.batch, pool, aware));
  network.set_steps(static_cast<std::uint64_t>(state.step));
  optimizer = optimizer_of(recipe, network.parameters());
  if (average) average.emplace(network, recipe.average);
  return {};
}

/// For pictures of `edge` pixels.
Result<void> Trainer::Impl::call_teacher() {
  if (!options.teacher) return {};
  teacher.reset();
  Graph taught = *options.teacher, pupil = graph;
  if (edge != full_edge()) {
    LINNET_TRY(taught, with_any_resolution(std::move(taught), edge));
    LINNET_TRY(pupil, with_any_resolution(std::move(pupil), edge));
  }
  cpu::Options how{.threads = pool.threads(), .isa = options.isa};
  if (!is_int8(taught)) how.precision = recipe.precision;
  LINNET_TRY(teacher, Teacher::make(taught, pupil, how));
  return {};
}

/// A checkpoint that cannot be written costs a warning: the one before is still whole.
void Trainer::Impl::save() {
  if (!first()) return;
  std::map<std::string, std::span<const float>> now;
  for (const auto& [name, values] : arrays()) now[name] = values;
  if (const auto written = write_checkpoint(state, now, checkpoint_path(options.folder));
      !written && options.warn)
    options.warn(
        Error{fmt::format("{}. The run goes on; the last good checkpoint stays", written.error().message)});
}

void Trainer::Impl::fill_targets(const data::Batch& batch) {
  const auto n = static_cast<std::size_t>(batch.images);
  const auto k = static_cast<std::size_t>(classes);
  targets.resize(n * k);
  train::fill_targets(batch.labels, classes, recipe.label_smoothing, targets);
  if (batch.lambda == 1) return;
  const AlignedVector<float> own = targets;
  const auto partner = [&](std::size_t i) {
    return static_cast<std::size_t>(data::mixup_partner(static_cast<int>(i), batch.images));
  };
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < k; ++c)
      targets[i * k + c] = batch.lambda * own[i * k + c] + (1 - batch.lambda) * own[partner(i) * k + c];
}

Result<void> Trainer::Impl::train_on(const data::Batch& batch) {
  const auto images = std::span(batch.pixels)
                          .first(static_cast<std::size_t>(batch.images) *
                                 static_cast<std::size_t>(plain_batches.input.size()));
  fill_targets(batch);
  std::span<const float> teachers_scores;
  if (teacher) {
    LINNET_TRY(teachers_scores, teacher->scores(batch.images, images));
  }
  // Weights of channels that no gradient reaches any more decay to denormal numbers in a long run. Scales of
  // quantisation-aware training may be as small, and are divided by.
  std::optional<DenormalsAsZero> flush;
  if (!before_qat) flush.emplace(pool);
  if (before_qat)
    network.freeze_statistics(static_cast<double>(state.step - schedule.steps) >=
                              recipe.qat_delay * static_cast<double>(qat_schedule.steps));
  LINNET_TRY(const std::span<const float> scores, network.forward(images, true));
  d_scores.resize(scores.size());
  const Loss own = teacher ? distillation_loss(scores, targets, teachers_scores, recipe.distillation->part,
                                               classes, d_scores, job.size())
                           : softmax_cross_entropy(scores, targets, classes, d_scores, job.size());
  LINNET_CHECK(network.backward(d_scores));
  double totals[] = {own.mean, static_cast<double>(own.correct), static_cast<double>(batch.images)};
  sum(job, totals);
  const auto [loss, correct, all_images] = totals;
  if (!std::isfinite(loss))
    return fail(
        "the loss is {} in step {} of epoch {}: the run has diverged. Lower --lr (it is {}), clip gradients "
        "(--clip 1) or warm up longer (--warm-up); {} is from before",
        loss, state.step % epoch_steps() + 1, state.step / epoch_steps() + 1, recipe.rate,
        checkpoint_path(options.folder).string());
  if (recipe.clip > 0) clip_gradients(network.parameters(), recipe.clip);
  optimizer->step(rate(state.step), pool);
  if (average) average->update(pool);
  ++state.step;
  state.loss_sum += loss * all_images;
  state.correct += static_cast<std::int64_t>(correct);
  state.images += static_cast<std::int64_t>(all_images);
  return {};
}

/// Each rank its part of the pictures, with rank 0's running statistics.
Result<void> Trainer::Impl::validate(EpochRecord& record) {
  job.broadcast(network.statistics());
  data::Dataset part = data.validation;
  const Range own = split(std::ssize(part.items), job.rank(), job.size());
  part.items = {data.validation.items.begin() + own.begin, data.validation.items.begin() + own.end};
  Loss loss;
  std::int64_t images = 0;
  if (!part.items.empty()) {
    LINNET_TRY(loss, sum_validation(part, images));
  }
  double totals[] = {loss.mean, static_cast<double>(loss.correct), static_cast<double>(images)};
  sum(job, totals);
  record.validation_loss = totals[0] / totals[2];
  record.validation_top1 = totals[1] / totals[2];
  return {};
}

/// Sums over the pictures, not means.
Result<Loss> Trainer::Impl::sum_validation(const data::Dataset& part, std::int64_t& images) {
  data::BatchOptions once = plain_batches;
  once.epochs = 1;
  LINNET_TRY(const auto all, data::Batches::make(part, once));
  // In quantisation-aware training the integers are judged.
  std::unique_ptr<cpu::CpuExecutor> engine;
  AlignedVector<float> integer_scores;
  if (before_qat) {
    LINNET_TRY(const Graph int8, network.to_int8());
    LINNET_TRY(engine, cpu::make_executor(int8, {.threads = pool.threads(), .isa = options.isa}));
  }
  const auto score = [&](int n, std::span<const float> pixels) -> Result<std::span<const float>> {
    if (!engine) return network.forward(pixels, false);
    integer_scores.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(classes));
    LINNET_CHECK(engine->run(n, pixels, integer_scores));
    return integer_scores;
  };
  Loss total;
  for (;;) {
    LINNET_TRY(const data::Batch* batch, all->next());
    if (!batch) break;
    if (batch->images == 0) continue;
    const auto n = static_cast<std::size_t>(batch->images);
    targets.resize(n * static_cast<std::size_t>(classes));
    train::fill_targets(batch->labels, classes, 0, targets);
    LINNET_TRY(const std::span<const float> scores,
               score(batch->images,
                     std::span(batch->pixels).first(n * static_cast<std::size_t>(once.input.size()))));
    const Loss own = softmax_cross_entropy(scores, targets, classes, {});
    total.mean += own.mean * batch->images;
    total.correct += own.correct;
    images += batch->images;
  }
  return total;
}

Result<EpochRecord> Trainer::Impl::close_epoch() {
  const auto images = static_cast<double>(state.images);
  EpochRecord record = {.epoch = state.step / epoch_steps(),
                        .learning_rate = rate(state.step - 1),
                        .loss = state.loss_sum / images,
                        .top1 = static_cast<double>(state.correct) / images,
                        .seconds = state.seconds,
                        .images_per_second = images / state.seconds};
  if (!data.validation.items.empty()) {
    swap_average();
    const Result<void> done = validate(record);
    swap_average();
    LINNET_CHECK(done);
  }
  state.history.push_back(record);
  state.loss_sum = state.seconds = 0;
  state.correct = state.images = 0;
  return record;
}

Result<Trainer> Trainer::make(const Graph& graph, RunData data, const Recipe& recipe, ThreadPool& pool,
                              RunOptions options) {
  LINNET_CHECK(check(recipe));
  if (!graph.preprocessing) return fail("{}: has no preprocessing to train with", graph.name);
  static Alone alone;
  Collective& job = options.job ? *options.job : alone;
  if (recipe.batch % job.size() != 0)
    return usage("--batch-size {} cannot be shared out evenly by {} processes; choose a multiple of {}",
                 recipe.batch, job.size(), job.size());
  if (const Shape input = graph.input_shape();
      !recipe.progressive.empty() && !(input.h == input.w && recipe.progressive.back().edge < input.h))
    return usage("--progressive {}: pictures at first must be smaller than the model's, which are {}",
                 to_string(recipe.progressive), to_string(input));
  if (options.teacher) LINNET_CHECK(check_teacher(*options.teacher, graph));
  const auto path = checkpoint_path(options.folder);
  std::error_code code;
  const bool there = job.rank() == 0 && std::filesystem::exists(path, code);
  if (there && !options.resume)
    return usage("{}: holds a run already. --resume goes on with it; --out another folder starts a new one",
                 options.folder.string());
  if (job.rank() == 0) std::filesystem::create_directories(path.parent_path(), code);
  if (code)
    return fail("{}: cannot be made: {}; give --out a folder that can be written to",
                path.parent_path().string(), code.message());
  if (job.size() > 1 && recipe.qat_epochs > 0)
    return usage("--qat runs in one process, and mpirun started {}", job.size());
  if (job.rank() == 0) remove_leftovers(path);
  LINNET_TRY(Network network,
             Network::make(graph, recipe.batch / job.size(), pool, network_options(recipe, options)));
  auto impl = std::make_unique<Impl>(std::move(data), recipe, pool, std::move(options), job, graph,
                                     std::move(network));
  Impl& m = *impl;
  LINNET_CHECK(m.call_teacher());
  m.state.recipe = everything(recipe, m.options.identity);
  m.state.ranks = job.size();
  LINNET_CHECK(agree(job, fmt::format("{}, {} pictures, {}, {} threads", m.state.recipe,
                                      m.data.train.items.size(), to_string(m.options.isa), pool.threads())));
  m.plain_batches = batch_options(graph, recipe, m.options);
  m.plain_batches.size /= job.size();
  if (std::ssize(m.data.train.items) < recipe.batch)
    return usage(
        "{}: holds {} pictures to train with, fewer than one batch of {}; choose a smaller --batch-size",
        m.data.train.name, m.data.train.items.size(), recipe.batch);
  m.schedule = schedule_of(recipe, std::ssize(m.data.train.items) / recipe.batch);
  m.qat_schedule = qat_schedule_of(recipe, m.schedule.epoch_steps);
  if (there) {
    LINNET_TRY(Checkpoint checkpoint, read_checkpoint(path));
    LINNET_CHECK(m.restore(std::move(checkpoint)));
  }
  m.begin_together();
  if (m.state.step < m.all_steps()) {
    if (const int edge = m.edge_of(m.state.step); edge != m.edge) LINNET_CHECK(m.take_size(edge));
    LINNET_CHECK(m.open_batches());
  }
  return Trainer(std::move(impl));
}

Result<bool> Trainer::run(const Observer& observer, const std::atomic<bool>& stop) {
  Impl& m = *impl_;
  double trained = 0;  // seconds, without validation and checkpoints
  double cost = 0;     // of the steps taken
  std::int64_t images = 0;
  auto last_save = Clock::now();
  while (m.state.step < m.all_steps()) {
    double told_to_stop = stop ? 1 : 0;
    sum(m.job, std::span(&told_to_stop, 1));
    if (told_to_stop > 0) {
      m.save();
      return false;
    }
    if (const int edge = m.edge_of(m.state.step); edge != m.edge) {
      LINNET_CHECK(m.take_size(edge));
      LINNET_CHECK(m.open_batches());
    }
    if (m.state.step >= m.schedule.steps && !m.before_qat) {
      m.swap_average();  // it goes on from the result
      LINNET_CHECK(m.begin_qat());
    }
    const auto start = Clock::now();
    LINNET_TRY(const data::Batch* batch, m.batches->next());
    LINNET_CHECK(m.train_on(*batch));
    const double took = seconds_since(start);
    cost += m.cost_of(m.state.step - 1);
    trained += took;
    m.state.seconds += took;
    images += batch->images * m.job.size();
    if (observer.step && m.first()) {
      const auto so_far = static_cast<double>(m.state.images);
      const double speed = static_cast<double>(images) / trained;
      observer.step({.epoch = (m.state.step - 1) / m.epoch_steps() + 1,
                     .epochs = m.recipe.epochs,
                     .step = (m.state.step - 1) % m.epoch_steps() + 1,
                     .steps = m.epoch_steps(),
                     .learning_rate = m.rate(m.state.step - 1),
                     .loss = m.state.loss_sum / so_far,
                     .top1 = static_cast<double>(m.state.correct) / so_far,
                     .images_per_second = speed,
                     .seconds_left = m.cost_left() * trained / cost});
    }
    if (m.state.step % m.epoch_steps() == 0) {
      LINNET_TRY(const EpochRecord record, m.close_epoch());
      m.save();
      last_save = Clock::now();
      if (observer.epoch && m.first()) observer.epoch(record);
    } else if (seconds_since(last_save) >= m.options.checkpoint_seconds) {
      m.save();
      last_save = Clock::now();
    }
  }
  return true;
}

std::int64_t Trainer::steps_done() const { return impl_->state.step; }
const std::vector<EpochRecord>& Trainer::history() const { return impl_->state.history; }

Graph Trainer::graph() {
  Impl& m = *impl_;
  if (m.before_qat) return *m.before_qat;
  m.swap_average();
  Graph result = m.network.to_graph();
  m.swap_average();
  if (m.edge == m.full_edge()) return result;
  result = with_any_resolution(std::move(result), m.full_edge()).value();
  result.preprocessing = m.graph.preprocessing;
  return result;
}

Result<Graph> Trainer::int8() {
  impl_->swap_average();
  Result<Graph> result = impl_->network.to_int8();
  impl_->swap_average();
  return result;
}

Trainer::Trainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

}  // namespace linnet::train
