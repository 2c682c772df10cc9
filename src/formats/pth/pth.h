// PyTorch's own files (.pth, .pt, .bin): state dicts as torch.save() writes them.
#pragma once

#include <filesystem>

#include "formats/state_dict/tensor.h"
#include "graph/graph.h"

namespace linnet::formats {

/// The graph of a state dict with torchvision's, timm's or Hugging Face's names. A checkpoint that holds its
/// state dict under "state_dict", "model_state_dict" or "model" is looked into. The pickle is read by a
/// machine that knows tensors and executes nothing. Errors begin with the file: no PyTorch file, Python
/// objects other than tensors, a tensor that does not fit (by name), an unknown network.
Result<Graph> read_pth(const std::filesystem::path& path);

/// The tensors alone, whatever network they belong to. Reads the zip form (PyTorch 1.6 and later) and the one
/// before it.
Result<TensorMap> read_pth_tensors(const std::filesystem::path& path);

/// The same from memory. `bytes` need not outlive the result.
Result<TensorMap> parse_pth_tensors(std::span<const std::byte> bytes, std::string_view file);

}  // namespace linnet::formats
