// From the named tensors of a PyTorch state dict to a Graph.
//
// A state dict says neither which network it belongs to nor how its layers pad. The names tell the library
// that wrote them and the family, the shapes tell width and classes; what shapes cannot tell (resolution,
// padding, epsilon) comes from the file's neighbours, where there are any, else from what is usual in that
// library. docs/formats.md lists it.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "formats/state_dict/tensor.h"
#include "graph/families/family.h"

namespace linnet::formats {

/// What the file's neighbours or its name say about a state dict.
struct Hints {
  std::optional<FamilyConfig>
      config;  ///< all of it (Hugging Face's config.json): nothing is guessed from shapes
  std::optional<int> resolution = {};
  bool tensorflow = false;  ///< timm's tf_ variants: SAME padding and an epsilon of 1e-3
};

/// What a bare file's name tells: timm calls its files after the model, and "tf_mobilenetv3_large_100-….pth"
/// is a tf_ variant.
Hints hints_from_name(const std::filesystem::path& path);

/// The graph with these weights, its dialect set, without labels and preprocessing. `file` begins every
/// error. Errors: names of no known library or family; a tensor that is missing, superfluous, misshapen or
/// not floating-point (each by name); channels that fit no width.
Result<Graph> graph_from_state_dict(const TensorMap& tensors, std::string_view file, const Hints& hints = {});

}  // namespace linnet::formats
