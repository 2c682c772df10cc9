// An ONNX file, parsed and checked for what every reader needs: one input, one output, an opset that we know,
// and the nodes that the output depends on.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

struct Model {
  std::string file;                                      ///< for errors
  std::filesystem::path folder;                          ///< where external data may lie; empty: nowhere
  std::unique_ptr<const onnx_schema::ModelProto> proto;  ///< what everything below views
  std::int64_t opset = 0;                                ///< of ONNX's own operators
  const onnx_schema::ValueInfoProto* input = nullptr;    ///< the image
  std::string_view output;                               ///< the scores
  std::vector<const onnx_schema::NodeProto*>
      nodes;  ///< those that the output needs, each after what it reads
  std::vector<std::unique_ptr<const onnx_schema::NodeProto>>
      lowered;        ///< those of `nodes` that the file lacks
  bool int8 = false;  ///< activations are quantised, so that an int8 Graph comes out
  std::unordered_map<std::string_view, const onnx_schema::TensorProto*> initializers;
  std::unordered_map<std::string_view, int> readers;  ///< how many of `nodes` read a value, for its numbers
};

/// Quantised operators become what they stand for (lowering.h). Errors name `file`.
Result<Model> parse_model(std::span<const std::byte> bytes, std::string file, std::filesystem::path folder);

/// `node "conv1" (Conv)`, or by its output where it has no name.
std::string where(const onnx_schema::NodeProto& node);

}  // namespace linnet::formats::onnx
