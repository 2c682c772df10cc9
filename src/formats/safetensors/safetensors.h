// Models in safetensors: Linnet's own form, Hugging Face's folders, and bare state dicts.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "formats/state_dict/tensor.h"
#include "graph/graph.h"

namespace linnet::formats {

/// A .safetensors file. One in Linnet's own form is the whole model; one that has a config.json beside it is
/// read with its neighbours, as read_huggingface() does; any other is a bare state dict, which says nothing
/// of resolution, labels or preprocessing (docs/formats.md says what is assumed; Graph::dialect says whose it
/// is). The weights are views into the mapped file wherever they can be. Errors begin with the file and name
/// the tensor, the key or the node.
Result<Graph> read_safetensors(const std::filesystem::path& path);

/// The same of a file in memory, which has no neighbours. `owner` keeps `bytes` alive, as long as the graph
/// views them; null where they outlive every graph.
Result<Graph> read_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                               std::string_view name);

/// Reads the tensors of a pytorch_model.bin: read_pth_tensors() of formats/pth.
using PickleReader = Result<TensorMap> (*)(const std::filesystem::path& path);

/// A folder of the Hugging Face hub (transformers' MobileNetV1 and V2, timm's MobileNets): config.json,
/// model.safetensors and, where it is there, preprocessor_config.json. A folder with pytorch_model.bin alone
/// needs `read_pickle`, which whoever links formats/pth passes.
Result<Graph> read_huggingface(const std::filesystem::path& folder, PickleReader read_pickle = nullptr);

/// Writes `graph` in Linnet's own form: weights, graph, labels and preprocessing in one file, which
/// read_safetensors() turns into an equal Graph. Errors: the graph is not legal, a name or label is not
/// UTF-8, the file cannot be written.
Result<void> write_safetensors(const Graph& graph, const std::filesystem::path& path);

}  // namespace linnet::formats
