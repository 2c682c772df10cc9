// What config.json and preprocessor_config.json say. Private to this room.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/state_dict/state_dict.h"
#include "graph/preprocessing.h"

namespace linnet::formats {

/// Everything about a model that is not in its weights.
struct ModelCard {
  Hints hints;
  bool count_classes = false;       ///< hints.config->classes is the classifier's business: no label says it
  std::vector<std::string> labels;  ///< one a class, or none
  std::optional<Preprocessing> preprocessing;
};

/// Reads config.json in `folder` and, where it is there, preprocessor_config.json. Two kinds are known:
/// transformers' ("model_type": "mobilenet_v1" or "mobilenet_v2") and timm's ("architecture":
/// "mobilenetv3_large_100"), which holds the preprocessing itself. Errors name the file and the key: another
/// model, or something Linnet cannot run (an output_stride below 32, a crop that is not square, a resampling
/// that is neither nearest, bilinear nor bicubic).
Result<ModelCard> read_model_card(const std::filesystem::path& folder);

}  // namespace linnet::formats
