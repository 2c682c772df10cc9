// Models that are part of the program: those of models/, which the project trained itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace linnet::hub {

/// One entry of models/models.json, with its file.
struct EmbeddedModel {
  std::string_view name;            ///< what the user types; the file is models/NAME.safetensors
  std::string_view family;          ///< the same network untrained, as `linnet info` takes it
  std::string_view data;            ///< what it was trained on and is tested with, e.g. "CIFAR-10"
  std::int64_t images;              ///< of the whole test set
  std::int64_t right;               ///< of them, first prediction right, by this very file
  std::string_view licence;         ///< of the weights
  std::string_view command;         ///< that trained it
  std::span<const std::byte> file;  ///< in Linnet's own form of safetensors; lasts as long as the program
};

/// All of them; the first one is used where no model is named.
std::span<const EmbeddedModel> embedded_models();

/// By name; null where there is none.
const EmbeddedModel* find_embedded(std::string_view name);

}  // namespace linnet::hub
