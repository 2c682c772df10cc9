// ONNX files become Graphs.
//
// Goals: what exporters really write for MobileNets (PyTorch's two exporters, tf2onnx, Keras, onnxsim),
// float32, float16, bfloat16 or double weights, opset 7 and newer, NCHW or NHWC, fixed or dynamic batch; int8
// and uint8 models in QDQ form or in quantised operators. Shape arithmetic is folded away, decomposed
// activations are recognised. Not goals: any network that is no image classifier, networks that are quantised
// in part or while they run, control flow.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "graph/graph.h"

namespace linnet::formats {

/// Reads an ONNX model. Node names are ONNX's, made unique where they are not; labels and preprocessing are
/// there where Linnet wrote the file, since ONNX itself has no place for them. A LogSoftmax at the end reads
/// as a Softmax: both have the same logits. A model with quantised activations gives an int8 graph, which
/// ends with its logits (docs/formats.md says what becomes of what). Weights that lie in files beside the
/// model are read from its folder and its subfolders only. Errors name the file, the node and its operator,
/// and say what to do: no legal ONNX, unsupported operators, activations or layouts, floats among int8,
/// inputs without a fixed height and width.
Result<Graph> read_onnx(const std::filesystem::path& path);

/// The same from memory; `name` stands for the file in errors and names the graph. Weights in other files are
/// refused.
Result<Graph> read_onnx(std::span<const std::byte> bytes, std::string_view name);

}  // namespace linnet::formats
