// How each library calls the nodes of each family. Private to this room.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "formats/state_dict/tensor.h"
#include "graph/families/family.h"

namespace linnet::formats {

/// Linnet's node name to the library's module name, where they differ.
using NodeNames = std::unordered_map<std::string, std::string>;

/// Whose names a set of tensors has, and of which family.
struct Naming {
  Dialect dialect;
  Family family;
};
std::optional<Naming> recognise(const TensorMap& tensors);

/// The table for one library and family. Hugging Face's V2 stem depends on `first_layer_is_expansion`.
NodeNames node_names(const Naming& naming, bool first_layer_is_expansion);

/// A tensor as the library names it: "features.0.0.weight" of timm's V2 is "conv_stem.weight".
std::string tensor_name(const NodeNames& names, std::string_view canonical);

}  // namespace linnet::formats
