#include "formats/safetensors/safetensors.h"

#include "base/file.h"
#include "formats/safetensors/container.h"
#include "formats/safetensors/huggingface_config.h"
#include "formats/safetensors/linnet_form.h"
#include "formats/state_dict/state_dict.h"

namespace linnet::formats {
namespace {

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Result<SafetensorsFile> open_safetensors(const std::filesystem::path& path) {
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  return parse_safetensors(file.bytes(), file.owner(), path.string());
}

/// The weights under what the model card says of them.
Result<Graph> with_card(const TensorMap& tensors, const std::filesystem::path& weights, ModelCard card) {
  if (card.count_classes)
    if (const auto classifier = tensors.find("classifier.weight"); classifier != tensors.end() &&
                                                                   !classifier->second.dims.empty() &&
                                                                   classifier->second.dims[0] <= 1 << 16)
      card.hints.config->classes = static_cast<int>(classifier->second.dims[0]);
  LINNET_TRY(Graph graph, graph_from_state_dict(tensors, weights.string(), card.hints));
  graph.labels = std::move(card.labels);
  graph.preprocessing = card.preprocessing;
  LINNET_CHECK(validate(graph));
  return graph;
}

/// A file that has no model card beside it.
Result<Graph> graph_alone(const SafetensorsFile& file, const std::filesystem::path& name) {
  if (is_linnet_form(file)) return graph_from_linnet_form(file, name.string());
  return graph_from_state_dict(file.tensors, name.string(), hints_from_name(name));
}

}  // namespace

Result<Graph> read_safetensors(const std::filesystem::path& path) {
  LINNET_TRY(const SafetensorsFile file, open_safetensors(path));
  if (is_linnet_form(file) || !is_there(path.parent_path() / "config.json")) return graph_alone(file, path);
  LINNET_TRY(ModelCard card, read_model_card(path.parent_path()));
  return with_card(file.tensors, path, std::move(card));
}

Result<Graph> read_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                               std::string_view name) {
  LINNET_TRY(const SafetensorsFile file, parse_safetensors(bytes, std::move(owner), name));
  return graph_alone(file, name);
}

Result<Graph> read_huggingface(const std::filesystem::path& folder, PickleReader read_pickle) {
  LINNET_TRY(ModelCard card, read_model_card(folder));
  if (const auto weights = folder / "model.safetensors"; is_there(weights)) {
    LINNET_TRY(const SafetensorsFile file, open_safetensors(weights));
    return with_card(file.tensors, weights, std::move(card));
  }
  for (const char* index : {"model.safetensors.index.json", "pytorch_model.bin.index.json"})
    if (is_there(folder / index))
      return fail(
          "{}: the weights are sharded over several files, which Linnet does not read; save them as one "
          "model.safetensors",
          (folder / index).string());
  if (const auto weights = folder / "pytorch_model.bin"; is_there(weights)) {
    if (read_pickle == nullptr)
      return fail(
          "{}: is PyTorch's own format, which this program does not link; write the folder anew with `linnet "
          "convert {} model.safetensors`",
          weights.string(), folder.string());
    LINNET_TRY(const TensorMap tensors, read_pickle(weights));
    return with_card(tensors, weights, std::move(card));
  }
  return fail(
      "{}: there is a config.json, but neither model.safetensors nor pytorch_model.bin; put the weights "
      "beside it",
      folder.string());
}

Result<void> write_safetensors(const Graph& graph, const std::filesystem::path& path) {
  LINNET_TRY(const LinnetForm form, linnet_form(graph));
  return write_safetensors_file(form.tensors, form.metadata, path);
}

}  // namespace linnet::formats
