// linnet train: from random weights, or another model's, to a float model and an int8 one.
#include <atomic>
#include <csignal>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "api/evaluate.h"
#include "base/file.h"
#include "calibration.h"
#include "data/readable.h"
#include "data/split.h"
#include "data/training_data.h"
#include "formats/safetensors/safetensors.h"
#include "model_options.h"
#include "print.h"
#include "quantize/images.h"
#include "train/run/adapt.h"
#include "train/run/trainer.h"
#include "train_job.h"
#include "train_options.h"
#include "train_report.h"
#include "train_start.h"
#include "verb.h"

namespace linnet::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kCalibration = 512;  // pictures that the int8 model's ranges are taken from

/// Set by Ctrl-C and by SIGTERM: the run ends after its step, with a checkpoint.
std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

/// mpirun sends SIGTERM when another rank died, and a little later SIGKILL: then this is all there is time
/// for.
constexpr std::string_view kParting =
    "linnet train: told to stop, by you or because another rank ended. The last checkpoint is whole; the "
    "same "
    "command with --resume goes on from it.\n";

void stop_at_signals(const TrainJob& job) {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = true; };
  if (job.size() > 1 && job.first())
    action.sa_handler = [](int) {
      stop = true;
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kParting.data(), kParting.size());
    };
  action.sa_flags = SA_RESETHAND;  // a second one ends the process as usual
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

std::string step_line(const train::Progress& p, bool terminal) {
  const auto left = static_cast<int>(p.seconds_left);
  const double share = static_cast<double>(p.step) / static_cast<double>(p.steps);
  return fmt::format("epoch {}/{} {}  loss {:.3f}  top-1 {:.1f} %  {:.0f} images/s  {}:{:02}:{:02} left",
                     p.epoch, p.epochs, terminal ? bar(share, 12) : fmt::format("{}/{}", p.step, p.steps),
                     p.loss, 100 * p.top1, p.images_per_second, left / 3600, left / 60 % 60, left % 60);
}

std::string epoch_line(const train::EpochRecord& r) {
  std::string line = fmt::format("epoch {:3}  rate {:.5f}  loss {:.4f}  top-1 {:.2f} %", r.epoch,
                                 r.learning_rate, r.loss, 100 * r.top1);
  if (r.validation_top1)
    line +=
        fmt::format("  held out: loss {:.4f}  top-1 {:.2f} %", *r.validation_loss, 100 * *r.validation_top1);
  return line + fmt::format("  {:.0f} s, {:.0f} images/s", r.seconds, r.images_per_second);
}

Result<Evaluation> evaluate_on(const Graph& graph, const data::Dataset& set, int threads) {
  LINNET_TRY(Classifier classifier, Classifier::make(graph, Backend::kCpu, threads));
  return evaluate(classifier, set, 0);
}

/// Random weights; or a trained backbone's, with a head that is fitted to it. A run that goes on has its own.
Result<Graph> with_first_weights(Graph graph, const TrainOptions& options, const train::Recipe& recipe,
                                 const data::Dataset& pictures, ThreadPool& pool, cpu::Isa isa,
                                 const TrainJob& job) {
  if (options.init.empty()) return train::initialise(std::move(graph), recipe.initialisation, recipe.seed);
  if (!job.first()) return graph;  // a job begins with the first one's weights
  std::error_code ignored;
  if (options.resume && fs::exists(train::checkpoint_path(options.out), ignored)) return graph;
  ProgressBar bar("fitting the new head", ProgressBar::Unit::kItems);
  const train::AdaptOptions head = {
      .isa = isa,
      .seed = recipe.seed,
      .progress = [&](std::size_t done, std::size_t total) { bar.update(done, total); },
      .warn = [](const Error& error) { note(error.message); }};
  LINNET_TRY(graph, train::restate_norms(graph, pictures, pool, head));
  return train::fit_head(std::move(graph), pictures, pool, head);
}

/// What there is to train, validate and test with; pictures that cannot be read are reported and left out.
struct Pictures {
  train::RunData run;
  data::Dataset test;  ///< the held-out ones where there are no others
  bool test_is_held_out = false;
};

Result<Pictures> pictures_of(data::TrainingData data, const TrainOptions& options, std::uint64_t seed,
                             ThreadPool& pool, const TrainJob& job) {
  const auto warn = [&](const Error& error) {
    if (job.first()) note(error.message);
  };
  Pictures pictures;
  LINNET_TRY(pictures.run.train, data::only_readable(std::move(data.train), pool, warn));
  LINNET_TRY(pictures.test, data::only_readable(std::move(data.test), pool, warn));
  const std::size_t held_out = options.hold_out >= 0 ? static_cast<std::size_t>(options.hold_out)
                                                     : pictures.run.train.items.size() / 10;
  if (held_out > 0) {
    LINNET_TRY(data::Split parts, data::split(pictures.run.train, held_out, seed));
    pictures.run = {std::move(parts.train), std::move(parts.validation)};
  }
  pictures.test_is_held_out = pictures.test.items.empty();
  if (pictures.test_is_held_out) pictures.test = pictures.run.validation;
  return pictures;
}

Json results(const FinishedRun& run, const fs::path& model, const fs::path& int8_model) {
  double seconds = 0;
  for (const train::EpochRecord& record : run.history) seconds += record.seconds;
  Json json = {{"top1", nullptr},
               {"int8_top1", nullptr},
               {"test_images", run.test.items.size()},
               {"images", run.images},
               {"epochs", run.recipe.epochs},
               {"seconds", seconds},
               {"images_per_second", static_cast<double>(run.images) * run.recipe.epochs / seconds},
               {"model", model.string()},
               {"int8_model", int8_model.string()}};
  if (run.real) json["top1"] = run.real->tally.top1();
  if (run.int8) json["int8_top1"] = run.int8->tally.top1();
  return json;
}

Result<Graph> quantized_after_training(const Graph& trained, const data::Dataset& data, int threads) {
  LINNET_TRY(const std::vector<quantize::Image> calibration,
             quantize::read_images(trained, data, kCalibration));
  quantize::Options usual;
  usual.threads = threads;
  LINNET_TRY(quantize::Quantized quantized, quantize::to_int8(trained, calibration, usual));
  return std::move(quantized.graph);
}

/// Writes the float model, the int8 model and the report, and prints how good they are.
Result<void> finish(FinishedRun run, const Graph& quantized, const fs::path& folder, bool as_json) {
  const fs::path model = folder / "model.safetensors";
  const fs::path int8_model = folder / "model.int8.safetensors";
  LINNET_CHECK(formats::write_safetensors(run.graph, model));
  LINNET_CHECK(formats::write_safetensors(quantized, int8_model));
  if (!run.test.items.empty()) {
    LINNET_TRY(run.real, evaluate_on(run.graph, run.test, run.threads));
    LINNET_TRY(run.int8, evaluate_on(quantized, run.test, run.threads));
  }
  LINNET_TRY(const train::TrainingReport report, training_report(run));
  LINNET_TRY(const std::string page, train::page(report));
  LINNET_CHECK(write_file(folder / "report.html", page));
  if (as_json) {
    print(results(run, model, int8_model).dump() + "\n");
    return {};
  }
  if (run.real)
    print(fmt::format("top-1 {} in float32, {} in int8, of {} images\n", percent(run.real->tally.top1()),
                      percent(run.int8->tally.top1()), run.test.items.size()));
  print(fmt::format("{}\n{}\n{}\n", model.string(), int8_model.string(), (folder / "report.html").string()));
  return {};
}

Result<int> run_in(TrainJob& job, const TrainOptions& options) {
  LINNET_CHECK(job.join());
  const int threads = options.threads > 0 ? options.threads : job.default_threads();
  LINNET_TRY(data::TrainingData data, data::open_training_data(options.data));
  LINNET_TRY(Start start, start_of(options, data));
  LINNET_TRY(train::Recipe recipe, recipe_of(options, start.graph.input_shape().h));
  LINNET_TRY(recipe.frozen_layers, frozen_layers(options, start));
  LINNET_TRY(std::optional<Graph> teacher, teacher_of(options));
  LINNET_TRY(const cpu::Isa isa, cpu::selected_isa());
  ThreadPool pool(threads);
  LINNET_TRY(const Pictures pictures, pictures_of(std::move(data), options, recipe.seed, pool, job));
  LINNET_TRY(const Graph graph,
             with_first_weights(std::move(start.graph), options, recipe, pictures.run.train, pool, isa, job));
  const std::size_t images = pictures.run.train.items.size();
  const std::size_t held_out = pictures.run.validation.items.size();

  const fs::path folder(options.out);
  train::RunOptions run_options{
      .folder = folder,
      .identity = Json{{"model", start.name}, {"data", options.data}, {"held_out", held_out}}.dump(),
      .resume = options.resume,
      .checkpoint_seconds = options.checkpoint_seconds,
      .isa = isa,
      .teacher = std::move(teacher),
      .job = job.collective(),
      .warn = [&](const Error& error) { note(job.prefix() + error.message); }};
  LINNET_TRY(train::Trainer trainer,
             train::Trainer::make(graph, pictures.run, recipe, pool, std::move(run_options)));
  if (job.first()) {
    const std::string processes = job.size() > 1 ? fmt::format("{} processes of ", job.size()) : "";
    note(fmt::format("{}: {} images to train with, {} held out, {} to test; {}{} threads, {}, seed {}",
                     start.name, images, held_out, pictures.test.items.size(), processes, threads,
                     to_string(isa), recipe.seed));
    if (job.size() > 1)
      note(
          "Should one of them end, all do; the same command with --resume goes on from the last checkpoint.");
    if (job.size() > 1 && options.threads == 0 && threads < job.share_of_cores())
      note(fmt::format(
          "mpirun binds each process to {} cores; mpirun --bind-to none lets it have its share, {}.", threads,
          job.share_of_cores()));
    if (trainer.steps_done() > 0) note(fmt::format("Goes on after step {}.", trainer.steps_done()));
  }
  stop_at_signals(job);
  StatusLine status;
  const auto write_metrics = [&] {
    return write_file(folder / "metrics.jsonl", train::to_jsonl(trainer.history()));
  };
  const train::Trainer::Observer observer = {
      .step =
          [&](const train::Progress& p) {
            status.update([&] { return step_line(p, status.on_terminal()); });
          },
      .epoch =
          [&](const train::EpochRecord& r) {
            status.clear();
            note(epoch_line(r));
            if (const auto written = write_metrics(); !written) note(written.error().message);
          }};
  LINNET_TRY(const bool finished, trainer.run(observer, stop));
  status.clear();
  job.leave();
  if (!job.first()) return finished ? 0 : 1;
  if (!finished) {
    note(fmt::format("Stopped after step {}; the same command with --resume goes on.", trainer.steps_done()));
    return 1;
  }
  LINNET_CHECK(write_metrics());
  const Graph trained = trainer.graph();
  LINNET_TRY(const Graph quantized, recipe.qat_epochs > 0
                                        ? trainer.int8()
                                        : quantized_after_training(trained, pictures.run.train, threads));
  note_widened_grids(quantized);
  LINNET_CHECK(finish({.model = start.name,
                       .data = options.data,
                       .fine_tuned = !options.init.empty(),
                       .recipe = recipe,
                       .images = images,
                       .held_out = held_out,
                       .threads = threads,
                       .history = trainer.history(),
                       .graph = trained,
                       .test = pictures.test,
                       .test_is_held_out = pictures.test_is_held_out},
                      quantized, folder, options.json));
  return 0;
}

Result<int> run(const TrainOptions& options) {
  TrainJob job;
  try {
    Result<int> code = run_in(job, options);
    if (!code) job.give_up(code.error());
    return code;
  } catch (const std::exception& error) {  // too little memory, say
    job.give_up(Error{fmt::format("linnet train: {}", error.what())});
    throw;
  }
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("train", "Train a network on labelled pictures, and quantize it");
  auto options = std::make_shared<TrainOptions>();
  add_train_options(*verb, *options);
  verb->add_option("--threads", options->threads, "By default one a core")->option_text("N");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->footer(
      "Killed at any moment, the same command with --resume goes on, to the same weights bit for bit.\n\n"
      "Example:\n"
      "  linnet train --model mobilenet_v1 --data cifar10:DIR --out runs/v1 --epochs 60 --lr 0.1 --schedule "
      "one-cycle\n"
      "  linnet train --init mobilenet_v2_1.0_224 --data photos --out runs/photos");
  verb->callback([&action, options] { action = [options] { return run(*options); }; });
}

}  // namespace linnet::cli
