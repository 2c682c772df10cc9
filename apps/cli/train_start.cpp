#include "train_start.h"

#include <charconv>

#include "formats/any/read_model.h"
#include "graph/families/family.h"
#include "model_options.h"
#include "print.h"
#include "train/transfer.h"

namespace linnet::cli {
namespace {

/// The family with what the data say in place of what the command line does not.
Result<FamilyConfig> family_of(const std::string& model, const data::TrainingData& data) {
  if (!names_family(model))
    return usage(
        "{}: is no family; --model takes one such as mobilenet_v2:width=0.5, and --init a trained model to "
        "start from",
        model);
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

Result<Start> start_untrained(const TrainOptions& options, const data::TrainingData& data) {
  if (!options.filter.empty()) return usage("--filter goes with --init, whose model has a way of its own");
  if (options.resolution)
    return usage("--resolution goes with --init; a family takes {}:resolution={}", options.model,
                 *options.resolution);
  LINNET_TRY(const FamilyConfig config, family_of(options.model, data));
  LINNET_TRY(Graph graph, build(config));
  graph.labels = data.names;
  Preprocessing preprocessing;
  preprocessing.shortest_edge = graph.input_shape().h;
  preprocessing.crop_rounding = CropRounding::kToEven;
  preprocessing.mean = data.mean;
  preprocessing.deviation = data.deviation;
  graph.preprocessing = preprocessing;
  const int layers = train::backbone_layers(graph);
  return Start{to_string(config), std::move(graph), layers};
}

/// A trained model, with the preprocessing that the options say.
Result<Graph> read_trained(const std::string& name, const ModelOptions& pictures) {
  LINNET_TRY(const ModelSource source, find_model(name));
  LINNET_TRY(Graph graph, read_model_source(source, formats::read_model));
  std::vector<std::string> notices;
  LINNET_TRY(const PictureOverrides overrides, picture_overrides(pictures));
  LINNET_TRY(graph, settle_for_pictures(std::move(graph), overrides, notices));
  for (const std::string& notice : notices) note(notice);
  return graph;
}

Result<Start> start_trained(const TrainOptions& options, const data::TrainingData& data) {
  ModelOptions pictures;
  pictures.filter = options.filter;
  LINNET_TRY(Graph graph, read_trained(options.init, pictures));
  LINNET_TRY(graph, train::replace_head(std::move(graph), data.names, options.recipe.seed));
  if (options.resolution) {
    LINNET_TRY(graph, train::with_resolution(std::move(graph), *options.resolution));
  }
  graph = train::with_norms(graph);
  const int layers = train::backbone_layers(graph);
  return Start{options.init, std::move(graph), layers};
}

}  // namespace

Result<Start> start_of(const TrainOptions& options, const data::TrainingData& data) {
  if (options.model.empty() == options.init.empty())
    return usage(
        "give either --model with a family, to train from random weights, or --init with a trained model, to "
        "fine-tune it");
  return options.init.empty() ? start_untrained(options, data) : start_trained(options, data);
}

Result<std::optional<Graph>> teacher_of(const TrainOptions& options) {
  if (options.teacher.empty()) return std::nullopt;
  LINNET_TRY(Graph graph, read_trained(options.teacher, {}));
  graph.name = options.teacher;
  return graph;
}

Result<int> frozen_layers(const TrainOptions& options, const Start& start) {
  if (options.freeze.empty()) return 0;
  if (options.freeze == "all") return start.layers;
  int layers = -1;
  const char* const end = options.freeze.data() + options.freeze.size();
  if (std::from_chars(options.freeze.data(), end, layers).ptr != end || layers < 0 || layers > start.layers)
    return usage("--freeze takes 0 to {} layers, or all; not \"{}\"", start.layers, options.freeze);
  return layers;
}

}  // namespace linnet::cli
