// Graphs become ONNX files.
#pragma once

#include <filesystem>
#include <string>

#include "graph/graph.h"

namespace linnet::formats {

/// Writes a legal graph as an ONNX model of opset 14: NCHW input under the graph's own input name ("input"
/// for Linnet's families) with a free batch dimension N, one output "logits" ("probabilities" where the graph
/// ends in a softmax). An int8 graph becomes a QDQ model: int8 activations and weights, the latter with a
/// scale a channel, int32 biases. Labels and preprocessing travel in metadata_props, so that read_onnx()
/// gives them back. The same graph gives the same bytes. Errors: an illegal graph, more than the 2 GB that a
/// protobuf file may hold, the disk.
Result<void> write_onnx(const Graph& graph, const std::filesystem::path& path);

/// The bytes that write_onnx() writes.
Result<std::string> onnx_bytes(const Graph& graph);

}  // namespace linnet::formats
