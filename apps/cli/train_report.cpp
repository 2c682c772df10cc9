#include "train_report.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "command_line.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMistakes = 24;  // that are shown

/// A JSON object's names and values for a person; what lies inside of another is "outer, inner".
void add_settings(const Json& json, const std::string& outer,
                  std::vector<std::pair<std::string, std::string>>& settings) {
  for (const auto& [name, value] : json.items()) {
    std::string spaced = outer.empty() ? name : outer + ", " + name;
    std::ranges::replace(spaced, '_', ' ');
    if (value.is_object())
      add_settings(value, spaced, settings);
    else if (value.is_number_float())
      settings.emplace_back(spaced, fmt::format("{:.6g}", value.get<double>()));
    else
      settings.emplace_back(spaced, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

train::TestResult test_result(const FinishedRun& run) {
  const int classes = run.graph.output_shape().c;
  train::TestResult result{
      .pictures = run.test_is_held_out ? fmt::format("the pictures held out from training by seed {}, after "
                                                     "each epoch of which the curves show",
                                                     run.recipe.seed)
                                       : "the test pictures, which the run looked at once, after its end",
      .images = run.real->tally.images(),
      .right = run.real->tally.right_first()};
  if (run.int8) result.int8_right = run.int8->tally.right_first();
  for (int label = 0; label < classes; ++label)
    for (int predicted = 0; predicted < classes; ++predicted)
      result.confusion.push_back(run.real->tally.confused(label, predicted));
  return result;
}

/// The misses of the largest margins, with their pictures and probabilities.
Result<std::vector<train::Mistake>> worst_mistakes(const FinishedRun& run) {
  std::vector<Miss> misses = run.real->misses;
  std::ranges::stable_sort(misses, std::ranges::greater(), &Miss::margin);
  misses.resize(std::min(misses.size(), kMistakes));
  LINNET_TRY(Classifier classifier, Classifier::make(run.graph, Backend::kCpu, run.threads));
  std::vector<train::Mistake> mistakes;
  for (const Miss& miss : misses) {
    const auto item = std::ranges::find(run.test.items, miss.picture, &data::Item::name);
    if (item == run.test.items.end()) continue;
    LINNET_TRY(image::Image picture, data::load(*item));
    LINNET_TRY(const Classification found, classifier.classify(picture, classifier.classes()));
    const auto probability = [&](int index) {
      return double{std::ranges::find(found.predictions, index, &Prediction::index)->probability};
    };
    mistakes.push_back({.name = miss.picture,
                        .picture = std::move(picture),
                        .label = miss.label,
                        .predicted = miss.predicted,
                        .probability = probability(miss.predicted),
                        .label_probability = probability(miss.label)});
  }
  return mistakes;
}

}  // namespace

Result<train::TrainingReport> training_report(const FinishedRun& run) {
  train::TrainingReport report{
      .title = fmt::format("{}, {}", run.fine_tuned ? "fine-tuned" : "trained", run.data),
      .summary =
          fmt::format("{} {} on {} images of {} classes, {} held out to validate with; {} threads, seed {}.",
                      run.fine_tuned ? "Fine-tuned from" : "Trained as", run.model, run.images,
                      run.graph.labels.size(), run.held_out, run.threads, run.recipe.seed),
      .command = command_line(),
      .settings = {},
      .history = run.history,
      .classes = run.graph.labels};
  add_settings(Json::parse(train::to_json(run.recipe)), "", report.settings);
  if (run.real) {
    report.result = test_result(run);
    LINNET_TRY(report.mistakes, worst_mistakes(run));
  }
  return report;
}

}  // namespace linnet::cli
