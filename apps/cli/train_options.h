// What `linnet train` takes, and the recipe that it means.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "train/run/recipe.h"

namespace linnet::cli {

struct TrainOptions {
  std::string model;
  std::string data;
  std::string out;
  std::string init;               ///< a trained model to start from; empty: random weights
  std::optional<int> resolution;  ///< pixels, other than that model's
  std::string filter;             ///< how pictures are resized, other than that model's way
  std::string freeze;             ///< a number of layers, or "all"; empty: none
  bool resume = false;
  int threads = 0;
  int hold_out = -1;  ///< pictures; -1: a tenth
  double checkpoint_seconds = 60;
  bool json = false;

  train::Recipe recipe;
  std::string optimizer = "sgd";
  std::string schedule = "step";
  std::string initialisation = "he";
  std::string precision = "float32";
  std::string augment = "standard";
  double smallest_crop = 0.25;  ///< share of a photograph
  std::string rand_augment;     ///< "OPERATIONS,MAGNITUDE"
  int cutout = 0;               ///< pixels
  std::string progressive;      ///< "EDGE:SHARE,..."
  std::string teacher;          ///< a trained model; empty: none
  train::TeachersPart teachers_part;
  bool qat = false;  ///< a tenth of the epochs, where the recipe says no number
};

/// Fine-tuning (--init) has defaults of its own, which take effect where the command line says nothing else.
void add_train_options(CLI::App& verb, TrainOptions& options);

/// The recipe for inputs of `resolution` pixels. Errors (kUsage): a name that does not exist, a number out of
/// its range.
Result<train::Recipe> recipe_of(const TrainOptions& options, int resolution);

}  // namespace linnet::cli
