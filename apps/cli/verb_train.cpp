// linnet train: from random weights, or another model's, to a float model and an int8 one.
#include <atomic>
#include <csignal>

#include <nlohmann/json.hpp>

#include "api/evaluate.h"
#include "base/file.h"
#include "data/split.h"
#include "data/training_data.h"
#include "formats/safetensors/safetensors.h"
#include "graph/families/family.h"
#include "model_options.h"
#include "print.h"
#include "quantize/images.h"
#include "train/run/trainer.h"
#include "train_options.h"
#include "verb.h"

namespace linnet::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kCalibration = 512;  // pictures that the int8 model's ranges are taken from

/// Set by Ctrl-C and by SIGTERM: the run ends after its step, with a checkpoint.
std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void stop_at_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop = true; };
  action.sa_flags = SA_RESETHAND;  // a second one ends the process as usual
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// The family with what the data say in place of what the command line does not.
Result<FamilyConfig> family_of(const std::string& model, const data::TrainingData& data) {
  if (!names_family(model))
    return usage("{}: is no family; training starts from one such as mobilenet_v2:width=0.5", model);
  LINNET_TRY(FamilyConfig config, parse_family(model));
  const auto says = [&](const char* key) { return model.find(key) != std::string::npos; };
  const auto classes = static_cast<int>(data.names.size());
  if (!says("classes=")) config.classes = classes;
  if (config.classes != classes)
    return usage("{}: has {} classes where the data have {}; leave classes= out", model, config.classes,
                 classes);
  if (!says("resolution=") && data.resolution) config.resolution = *data.resolution;
  return config;
}

/// Everything that the model file will say about its pictures.
Graph with_pictures(Graph graph, const data::TrainingData& data) {
  graph.labels = data.names;
  Preprocessing preprocessing;
  preprocessing.shortest_edge = graph.input_shape().h;
  preprocessing.crop_rounding = CropRounding::kToEven;
  preprocessing.mean = data.mean;
  preprocessing.deviation = data.deviation;
  graph.preprocessing = preprocessing;
  return graph;
}

std::string step_line(const train::Progress& p) {
  const auto left = static_cast<int>(p.seconds_left);
  return fmt::format(
      "epoch {} of {}  {} of {}  loss {:.3f}  top-1 {:.1f} %  {:.0f} images/s  {}:{:02}:{:02} left", p.epoch,
      p.epochs, p.step, p.steps, p.loss, 100 * p.top1, p.images_per_second, left / 3600, left / 60 % 60,
      left % 60);
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

Result<Graph> quantized_after_training(const Graph& trained, const std::string& data, int threads) {
  LINNET_TRY(const std::vector<quantize::Image> calibration,
             quantize::read_images(trained, data, kCalibration));
  quantize::Options usual;
  usual.threads = threads;
  LINNET_TRY(quantize::Quantized quantized, quantize::to_int8(trained, calibration, usual));
  return std::move(quantized.graph);
}

Result<int> run(const TrainOptions& options) {
  const int threads = options.threads > 0 ? options.threads : default_threads();
  LINNET_TRY(data::TrainingData data, data::open_training_data(options.data));
  LINNET_TRY(const FamilyConfig config, family_of(options.model, data));
  LINNET_TRY(const train::Recipe recipe, recipe_of(options, config.resolution));
  LINNET_TRY(Graph untrained, build(config));
  const Graph graph =
      with_pictures(train::initialise(std::move(untrained), recipe.initialisation, recipe.seed), data);

  train::RunData run_data{std::move(data.train), {}};
  const std::size_t held_out =
      options.hold_out >= 0 ? static_cast<std::size_t>(options.hold_out) : run_data.train.items.size() / 10;
  if (held_out > 0) {
    LINNET_TRY(data::Split parts, data::split(run_data.train, held_out, recipe.seed));
    run_data = {std::move(parts.train), std::move(parts.validation)};
  }
  const data::Dataset& test = data.test.items.empty() ? run_data.validation : data.test;
  const data::Dataset kept_test = test;
  const std::size_t images = run_data.train.items.size();

  const fs::path folder(options.out);
  LINNET_TRY(const cpu::Isa isa, cpu::selected_isa());
  ThreadPool pool(threads);
  train::RunOptions run_options{
      .folder = folder,
      .identity = Json{{"model", to_string(config)}, {"data", options.data}, {"held_out", held_out}}.dump(),
      .resume = options.resume,
      .checkpoint_seconds = options.checkpoint_seconds,
      .isa = isa,
      .warn = [](const Error& error) { note(error.message); }};
  LINNET_TRY(train::Trainer trainer,
             train::Trainer::make(graph, std::move(run_data), recipe, pool, std::move(run_options)));
  note(fmt::format("{}: {} images to train with, {} held out, {} to test; {} threads, {}, seed {}",
                   to_string(config), images, held_out, kept_test.items.size(), threads, to_string(isa),
                   recipe.seed));
  if (trainer.steps_done() > 0) note(fmt::format("Goes on after step {}.", trainer.steps_done()));
  stop_at_signals();
  Stopwatch watch;
  StatusLine status;
  const train::Trainer::Observer observer = {
      .step = [&](const train::Progress& p) { status.update([&] { return step_line(p); }); },
      .epoch =
          [&](const train::EpochRecord& r) {
            status.clear();
            note(epoch_line(r));
            if (const auto written = write_file(folder / "metrics.jsonl", train::to_jsonl(trainer.history()));
                !written)
              note(written.error().message);
          }};
  LINNET_TRY(const bool finished, trainer.run(observer, stop));
  status.clear();
  if (!finished) {
    note(fmt::format("Stopped after step {}; the same command with --resume goes on.", trainer.steps_done()));
    return 1;
  }
  LINNET_CHECK(write_file(folder / "metrics.jsonl", train::to_jsonl(trainer.history())));

  const Graph trained = trainer.graph();
  const fs::path model = folder / "model.safetensors";
  const fs::path int8_model = folder / "model.int8.safetensors";
  LINNET_CHECK(formats::write_safetensors(trained, model));
  LINNET_TRY(const Graph quantized, recipe.qat_epochs > 0
                                        ? trainer.int8()
                                        : quantized_after_training(trained, options.data, threads));
  LINNET_CHECK(formats::write_safetensors(quantized, int8_model));

  double seconds = 0;
  for (const train::EpochRecord& record : trainer.history()) seconds += record.seconds;
  const double speed = static_cast<double>(images) * recipe.epochs / seconds;
  Json json = {{"top1", nullptr},
               {"int8_top1", nullptr},
               {"test_images", kept_test.items.size()},
               {"images", images},
               {"epochs", recipe.epochs},
               {"seconds", seconds},
               {"images_per_second", speed},
               {"model", model.string()},
               {"int8_model", int8_model.string()}};
  if (!kept_test.items.empty()) {
    LINNET_TRY(const Evaluation real, evaluate_on(trained, kept_test, threads));
    LINNET_TRY(const Evaluation int8, evaluate_on(quantized, kept_test, threads));
    json["top1"] = real.tally.top1();
    json["int8_top1"] = int8.tally.top1();
    if (!options.json)
      print(fmt::format("top-1 {} in float32, {} in int8, of {} images\n", percent(real.tally.top1()),
                        percent(int8.tally.top1()), kept_test.items.size()));
  }
  if (options.json)
    print(json.dump() + "\n");
  else
    print(fmt::format("{}\n{}\n", model.string(), int8_model.string()));
  return 0;
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
      "one-cycle");
  verb->callback([&action, options] { action = [options] { return run(*options); }; });
}

}  // namespace linnet::cli
