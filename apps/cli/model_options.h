// The options that several verbs share, said once.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "api/classifier.h"
#include "api/model_source.h"

namespace linnet::cli {

/// How a model is named and run.
struct ModelOptions {
  std::string model;  ///< empty: the default model
  std::string labels;
  std::optional<int> resize;
  std::optional<int> crop;
  std::string mean;
  std::string deviation;
  std::string filter;
  int threads = 0;
  std::string precision;                ///< empty: the file's own
  std::string calibration;              ///< pictures that int8 of a float model is calibrated on
  std::size_t calibration_limit = 128;  ///< of them, spread evenly
  std::string backend = "cpu";
};

/// --model M; the verbs that need one say so.
CLI::Option* add_model_option(CLI::App& verb, ModelOptions& options);
/// --threads N
void add_threads_option(CLI::App& verb, ModelOptions& options);
/// --precision P and --calibration D
void add_precision_option(CLI::App& verb, ModelOptions& options);
/// --backend B
void add_backend_option(CLI::App& verb, ModelOptions& options);
/// --labels, --resize, --crop, --mean, --std, --filter
void add_picture_options(CLI::App& verb, ModelOptions& options);

Result<Backend> parse_backend(const std::string& name);
/// The graph for the precision that was asked for; by default as it is. Errors: a precision that does not
/// exist (kUsage), or that the model cannot be brought to.
Result<Graph> with_precision(Graph graph, const ModelOptions& options);
/// What an executor is told: how it stores the values of that graph. Errors: as above.
Result<std::optional<cpu::Precision>> executor_precision(const ModelOptions& options);
/// Errors: not numbers (kUsage).
Result<PictureOverrides> picture_overrides(const ModelOptions& options);
/// Whether any of --labels to --filter was given.
bool overrides_anything(const PictureOverrides& overrides);

/// Finds and reads the model, or the default one.
Result<Graph> read_model(const ModelOptions& options);
/// The model ready to label pictures; says on stderr what was assumed.
Result<Classifier> load_classifier(const ModelOptions& options);

}  // namespace linnet::cli
