// The safetensors container: eight bytes of header length, a JSON header, the tensors' bytes. It knows
// nothing of networks. (github.com/huggingface/safetensors, "Format")
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/state_dict/tensor.h"

namespace linnet::formats {

struct SafetensorsFile {
  TensorMap tensors;  ///< views into the file
  std::map<std::string, std::string, std::less<>> metadata;
};

/// Checks everything that the format promises: the header lies in the file and is an object; every tensor has
/// a known type, a shape that does not overflow and exactly as many bytes; the tensors fill the data without
/// a gap or an overlap. Errors name `file` and the tensor. `owner` keeps `bytes` alive and is handed on to
/// the tensors.
Result<SafetensorsFile> parse_safetensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                          std::string_view file);

/// A tensor to be written, as F32, I8 or I32.
struct NamedConstant {
  std::string name;
  Constant constant;
};

/// Writes the container: tensors in the given order, header padded with spaces to a multiple of eight bytes.
/// Errors: names or metadata that are not UTF-8, a name twice, the file cannot be written.
Result<void> write_safetensors_file(std::span<const NamedConstant> tensors,
                                    const std::map<std::string, std::string, std::less<>>& metadata,
                                    const std::filesystem::path& path);

}  // namespace linnet::formats
