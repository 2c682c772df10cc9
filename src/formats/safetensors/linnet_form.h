// Linnet's own form: a safetensors file that carries its graph, labels and preprocessing in its metadata, so
// that one file is a whole model. docs/formats.md specifies it. Private to this room.
#pragma once

#include "formats/safetensors/container.h"
#include "graph/graph.h"

namespace linnet::formats {

/// Whether the container says that it is in Linnet's own form.
bool is_linnet_form(const SafetensorsFile& file);

/// The graph, validated; its constants view the tensors. Errors name `path` and the node.
Result<Graph> graph_from_linnet_form(const SafetensorsFile& file, std::string_view path);

/// The metadata and the tensors of a legal graph. Errors: numbers that JSON cannot hold.
struct LinnetForm {
  std::vector<NamedConstant> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};
Result<LinnetForm> linnet_form(const Graph& graph);

}  // namespace linnet::formats
