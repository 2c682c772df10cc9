#include "formats/onnx/metadata.h"

#include <algorithm>
#include <cmath>

#include "formats/metadata/metadata.h"

namespace linnet::formats::onnx {
namespace {

using onnx_schema::ModelProto;

Result<void> read_entry(std::string_view key, const std::string& text, Graph& graph) {
  if (key == kLabelsKey) {
    LINNET_TRY(graph.labels, labels_from_json(text));
  } else if (key == kPreprocessingKey) {
    LINNET_TRY(graph.preprocessing, preprocessing_from_json(text));
  } else if (key == kDialectKey) {
    LINNET_TRY(graph.dialect, dialect_named(text));
  }
  return {};
}

/// What an exporter's name says about the library that the weights come from.
Dialect dialect_of_exporter(const ModelProto& model) {
  const std::string& producer = model.producer_name();
  if (producer.starts_with("tf2onnx") || producer.starts_with("keras")) return Dialect::kTensorflow;
  if (producer != "pytorch") return Dialect::kUnknown;
  const bool timm = std::ranges::any_of(model.graph().initializer(), [](const auto& tensor) {
    return tensor.name().find("conv_stem") != std::string::npos;
  });
  return timm ? Dialect::kTimm : Dialect::kTorchvision;
}

/// Whether the first layer turns pixels of 0 … 255 into small numbers, as Keras' models with their own
/// Rescaling do.
bool rescales_pixels(const Graph& graph) {
  constexpr float kSmall = 1.0f / 32;
  return std::ranges::any_of(graph.nodes, [&](const Node& node) {
    const auto* norm = std::get_if<BatchNorm>(&node.op);
    return norm && node.inputs[0] == 0 &&
           std::ranges::all_of(norm->scale.values(), [](float v) { return std::abs(v) < kSmall; });
  });
}

void add_entry(ModelProto& model, std::string_view key, std::string_view value) {
  auto& entry = *model.add_metadata_props();
  entry.set_key(std::string(key));
  entry.set_value(std::string(value));
}

}  // namespace

Result<void> read_metadata(const ModelProto& model, std::string_view file, Graph& graph) {
  graph.dialect = dialect_of_exporter(model);
  for (const auto& entry : model.metadata_props())
    if (const auto read = read_entry(entry.key(), entry.value(), graph); !read)
      return fail("{}: metadata \"{}\": {}", file, entry.key(), read.error().message);
  if (!graph.preprocessing && graph.dialect == Dialect::kTensorflow && rescales_pixels(graph)) {
    graph.preprocessing = tensorflow_preprocessing();
    graph.preprocessing->rescale = 1;
    graph.preprocessing->mean = {0, 0, 0};
    graph.preprocessing->deviation = {1, 1, 1};
  }
  return {};
}

Result<void> write_metadata(const Graph& graph, ModelProto& model) {
  LINNET_TRY(const auto entries, metadata_entries(graph));
  for (const auto& [key, value] : entries) add_entry(model, key, value);
  if (graph.dialect != Dialect::kUnknown) add_entry(model, kDialectKey, to_string(graph.dialect));
  return {};
}

}  // namespace linnet::formats::onnx
