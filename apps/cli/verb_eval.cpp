// linnet eval: how often a model is right.
#include <nlohmann/json.hpp>

#include "api/evaluate.h"
#include "model_options.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kWorst = 10;  // confusions that are listed

struct Arguments {
  ModelOptions model;
  std::string data;
  std::size_t limit = 0;
  bool misses = false;
  bool json = false;
};

std::string label_of(const Graph& graph, int index) {
  return graph.labels.empty() ? fmt::format("class {}", index)
                              : graph.labels[static_cast<std::size_t>(index)];
}

void print_json(const Evaluation& evaluation, const Arguments& arguments, double seconds) {
  const data::Tally& tally = evaluation.tally;
  const data::Interval interval = data::wilson_95(tally.right_first(), tally.images());
  Json confusions = Json::array();
  for (const auto& c : tally.worst(kWorst))
    confusions.push_back({{"label", c.label}, {"predicted", c.predicted}, {"images", c.images}});
  Json json = {{"images", tally.images()},
               {"top1", tally.top1()},
               {"top5", tally.top5()},
               {"right_first", tally.right_first()},
               {"right_in_5", tally.right_in_5()},
               {"top1_interval", {interval.low, interval.high}},
               {"seconds", seconds},
               {"confusions", confusions}};
  if (arguments.misses) {
    Json misses = Json::array();
    for (const Miss& miss : evaluation.misses)
      misses.push_back({{"image", miss.picture},
                        {"label", miss.label},
                        {"predicted", miss.predicted},
                        {"margin", miss.margin}});
    json["misses"] = misses;
  }
  print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print_text(const Evaluation& evaluation, const Arguments& arguments, const Graph& graph) {
  const data::Tally& tally = evaluation.tally;
  const auto line = [&](const char* what, std::int64_t right) {
    const data::Interval interval = data::wilson_95(right, tally.images());
    const double share =
        tally.images() ? static_cast<double>(right) / static_cast<double>(tally.images()) : 0;
    print(fmt::format("{}  {:>8}   {} of {}, 95 % interval {:.1f} to {:.1f} %\n", what, percent(share, 1),
                      right, tally.images(), 100 * interval.low, 100 * interval.high));
  };
  line("top-1", tally.right_first());
  line("top-5", tally.right_in_5());
  if (const auto worst = tally.worst(kWorst); !worst.empty()) {
    Table table({{"pictures", Align::kRight}, {"are"}, {"taken for"}});
    for (const auto& c : worst)
      table.row({grouped(c.images), label_of(graph, c.label), label_of(graph, c.predicted)});
    print("\n" + table.text());
  }
  if (arguments.misses && !evaluation.misses.empty()) {
    Table table({{"picture"}, {"is"}, {"taken for"}, {"margin", Align::kRight}});
    for (const Miss& miss : evaluation.misses)
      table.row({miss.picture, label_of(graph, miss.label), label_of(graph, miss.predicted),
                 fmt::format("{:.3f}", miss.margin)});
    print("\n" + table.text());
  }
}

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(Classifier classifier, load_classifier(arguments.model));
  const Graph& graph = classifier.graph();
  LINNET_TRY(const data::Dataset dataset,
             data::open_dataset(arguments.data, graph.labels, classifier.classes()));
  Stopwatch watch;
  Result<Evaluation> evaluation = fail("not run");
  {
    ProgressBar bar("evaluating", ProgressBar::Unit::kItems);
    evaluation = evaluate(classifier, dataset, arguments.limit,
                          [&](std::size_t done, std::size_t total) { bar.update(done, total); });
  }
  if (!evaluation) return std::unexpected(evaluation.error());
  if (arguments.json)
    print_json(*evaluation, arguments, watch.lap() / 1000);
  else
    print_text(*evaluation, arguments, graph);
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("eval", "Measure how often a model is right on labelled pictures");
  auto arguments = std::make_shared<Arguments>();
  add_model_option(*verb, arguments->model)->required();
  verb->add_option("--data", arguments->data,
                   "cifar10:DIR; a folder with one sub-folder a class; or a folder with a labels.csv "
                   "(columns file, and class_index_0_999 or class)")
      ->option_text("D")
      ->required();
  verb->add_option("--limit", arguments->limit, "Only N pictures, spread evenly over the data")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--misses", arguments->misses,
                 "List every picture that is taken for something else, with its margin: by how much the best "
                 "logit is above that of the true class");
  add_threads_option(*verb, arguments->model);
  add_precision_option(*verb, arguments->model);
  add_backend_option(*verb, arguments->model);
  add_picture_options(*verb, arguments->model);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer("Example:\n  linnet eval --model mobilenet_v2_1.0_224 --data photos/");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
