// What a finished run is told as: report.html.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "api/evaluate.h"
#include "data/dataset.h"
#include "train/run/page.h"
#include "train/run/recipe.h"

namespace linnet::cli {

/// A run that came to its end.
struct FinishedRun {
  std::string model;  ///< what it started from
  std::string data;   ///< as it was named
  bool fine_tuned = false;
  train::Recipe recipe = {};
  std::size_t images = 0;    ///< trained with
  std::size_t held_out = 0;  ///< validated with
  int threads = 0;
  std::vector<train::EpochRecord> history = {};
  Graph graph = {};         ///< the float model
  data::Dataset test = {};  ///< what the evaluations are of; without items: there are none
  bool test_is_held_out = false;
  std::optional<Evaluation> real = {};
  std::optional<Evaluation> int8 = {};
};

/// The report of it. Errors: a picture of a mistake that cannot be read any more.
Result<train::TrainingReport> training_report(const FinishedRun& run);

}  // namespace linnet::cli
