// What ONNX has no place for travels in its metadata_props: labels, preprocessing, dialect. Private to this
// room.
#pragma once

#include <string_view>

#include "graph/graph.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

inline constexpr std::string_view kProducer = "linnet";

/// Takes labels, preprocessing and dialect from a model that Linnet wrote. Another exporter's name tells the
/// dialect where it tells anything; a TensorFlow model that rescales its own input asks for raw pixels.
/// Errors name `file` and the entry.
Result<void> read_metadata(const onnx_schema::ModelProto& model, std::string_view file, Graph& graph);

/// Errors: numbers that are not finite.
Result<void> write_metadata(const Graph& graph, onnx_schema::ModelProto& model);

}  // namespace linnet::formats::onnx
