// What a person may write where a MODEL is asked for, and what becomes of it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/families/family.h"
#include "graph/graph.h"
#include "hub/cache/known_models.h"
#include "hub/embedded/embedded.h"

namespace linnet {

/// One of a path, a family and an embedded model.
struct ModelSource {
  std::string name;                              ///< as it was written
  std::filesystem::path path = {};               ///< a file or a Hugging Face folder
  std::optional<FamilyConfig> family = {};       ///< an untrained network
  const hub::KnownModel* known = nullptr;        ///< where the path is of a model that was pulled
  const hub::EmbeddedModel* embedded = nullptr;  ///< a part of the program
};

/// Looked up in this order: a path that exists, a family, an embedded model, a name in the cache. Errors:
/// none of them; a known name that was not pulled yet (says how); a family with bad keys (kUsage).
Result<ModelSource> find_model(std::string_view model);

/// The model that is used where none is named: the first known model in the cache, mobilenet_v2_1.0_224
/// before any other; else $LINNET_DATA/models/huggingface/mobilenet_v2_1.0_224; else the first embedded one.
/// Error: this program embeds none either; three lines on how to get one.
Result<ModelSource> default_model();

/// Turns a file or folder into a graph; which formats it knows is the caller's choice.
using ModelReader = std::function<Result<Graph>(const std::filesystem::path&)>;

/// Builds the family, reads the embedded file, or has `reader` read the path. Where the publisher of a pulled
/// model resizes in another way than is usual, the graph's preprocessing says so.
Result<Graph> read_model_source(const ModelSource& source, const ModelReader& reader);

/// What a person says about preprocessing and labels in place of the file.
struct PictureOverrides {
  std::optional<std::filesystem::path> labels = {};  ///< a text file, a label a line
  std::optional<int> resize = {};                    ///< pixels of the shorter edge
  std::optional<int> crop = {};                      ///< pixels; must be the model's input
  std::optional<std::vector<float>> mean = {};       ///< three values, of pixels in [0, 1]
  std::optional<std::vector<float>> deviation = {};
  std::optional<Filter> filter = {};
};

/// The graph with labels and preprocessing settled: the file's, else its dialect's usual ones, each replaced
/// by what `overrides` says. `notices` is told what was assumed. Errors: a wrong number of labels; values
/// that make no sense (kUsage); nothing known and not enough said.
Result<Graph> settle_for_pictures(Graph graph, const PictureOverrides& overrides,
                                  std::vector<std::string>& notices);

}  // namespace linnet
