#include "formats/onnx/model.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include <google/protobuf/io/coded_stream.h>

#include "formats/onnx/lowering.h"

namespace linnet::formats::onnx {

using onnx_schema::ModelProto;
using onnx_schema::NodeProto;

std::string where(const NodeProto& node) {
  if (!node.name().empty()) return fmt::format("node \"{}\" ({})", node.name(), node.op_type());
  return fmt::format("the node that gives \"{}\" ({})", node.output_size() > 0 ? node.output(0) : "",
                     node.op_type());
}

namespace {

constexpr std::int64_t kOldestOpset = 7;

Result<std::int64_t> own_opset(const ModelProto& proto, std::string_view file) {
  for (const auto& import : proto.opset_import()) {
    if (!import.domain().empty() && import.domain() != "ai.onnx") continue;
    if (import.version() < kOldestOpset)
      return fail("{}: opset {} is older than {}; convert the model with onnx.version_converter", file,
                  import.version(), kOldestOpset);
    return import.version();
  }
  return fail("{}: names no opset, so its operators have no meaning; export the model again", file);
}

Result<void> find_ends(Model& model) {
  const auto& graph = model.proto->graph();
  for (const auto& value : graph.input()) {
    if (model.initializers.contains(value.name())) continue;
    if (model.input)
      return fail("{}: two inputs, \"{}\" and \"{}\"; Linnet runs networks with one image as input",
                  model.file, model.input->name(), value.name());
    model.input = &value;
  }
  if (!model.input) return fail("{}: has no input; export the model again", model.file);
  if (graph.output_size() != 1)
    return fail(
        "{}: {} outputs; Linnet reads classifiers with one (cut the model with onnx.utils.extract_model)",
        model.file, graph.output_size());
  model.output = graph.output(0).name();
  return {};
}

/// All nodes of the file in its order, quantised operators lowered.
Result<std::vector<const NodeProto*>> lower(Model& model) {
  std::vector<const NodeProto*> nodes;
  for (const auto& node : model.proto->graph().node()) {
    auto parts = lowered(node);
    if (!parts) return fail("{}: {}: {}", model.file, where(node), parts.error().message);
    if (parts->empty()) nodes.push_back(&node);
    for (auto& part : *parts) {
      nodes.push_back(part.get());
      model.lowered.push_back(std::move(part));
    }
  }
  return nodes;
}

/// Walks back from the output. A value that two nodes give is an error; one that none gives is found when it
/// is read.
Result<void> find_needed_nodes(Model& model) {
  LINNET_TRY(const std::vector<const NodeProto*> all, lower(model));
  std::unordered_set<std::string_view> given = {model.input->name()};
  for (const auto& [name, tensor] : model.initializers) given.insert(name);
  for (const NodeProto* node : all)
    for (const auto& output : node->output())
      if (!output.empty() && !given.insert(output).second)
        return fail("{}: {}: \"{}\" is given twice; the file is damaged", model.file, where(*node), output);

  std::unordered_set<std::string_view> needed = {model.output};
  model.readers[model.output] = 1;
  for (std::size_t i = all.size(); i-- > 0;) {
    const NodeProto& node = *all[i];
    if (std::ranges::none_of(node.output(), [&](const auto& output) { return needed.contains(output); }))
      continue;
    model.nodes.push_back(&node);
    const bool reads_numbers = node.op_type() != "Shape" && node.op_type() != "Size";
    for (const auto& input : node.input()) {
      if (input.empty()) continue;
      needed.insert(input);
      if (reads_numbers) ++model.readers[input];
    }
  }
  std::ranges::reverse(model.nodes);
  return {};
}

/// Whether a QuantizeLinear reads something that the image decides. Then the constants' nodes go first: a
/// bias may be dequantised after the layer that takes it.
void find_quantized_activations(Model& model) {
  std::unordered_set<std::string_view> decided = {model.input->name()};
  std::vector<const NodeProto*> constant, dependent;
  for (const NodeProto* node : model.nodes) {
    if (std::ranges::none_of(node->input(), [&](const auto& input) { return decided.contains(input); })) {
      constant.push_back(node);
      continue;
    }
    if (node->op_type() == "QuantizeLinear") model.int8 = true;
    dependent.push_back(node);
    for (const auto& output : node->output()) decided.insert(output);
  }
  if (!model.int8) return;
  model.nodes = std::move(constant);
  model.nodes.insert(model.nodes.end(), dependent.begin(), dependent.end());
}

}  // namespace

Result<Model> parse_model(std::span<const std::byte> bytes, std::string file, std::filesystem::path folder) {
  Model model;
  model.file = std::move(file);
  model.folder = std::move(folder);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return fail(
        "{}: {} bytes, more than the 2 GB that an ONNX file may have; keep the weights in a file beside it",
        model.file, bytes.size());
  auto proto = std::make_unique<ModelProto>();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  if (!proto->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    return fail("{}: is no ONNX model, or is cut short or damaged ({} bytes); export or download it again",
                model.file, bytes.size());
  if (!proto->has_graph() || proto->graph().node_size() == 0)
    return fail("{}: holds no ONNX graph; is it an ONNX model?", model.file);
  model.proto = std::move(proto);
  LINNET_TRY(model.opset, own_opset(*model.proto, model.file));
  for (const auto& tensor : model.proto->graph().initializer()) model.initializers[tensor.name()] = &tensor;
  LINNET_CHECK(find_ends(model));
  LINNET_CHECK(find_needed_nodes(model));
  find_quantized_activations(model);
  return model;
}

}  // namespace linnet::formats::onnx
