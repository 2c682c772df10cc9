// A model file of any format.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "graph/graph.h"

namespace linnet::formats {

/// What a file is, by its first bytes; where they say nothing, by its name.
enum class FileKind { kUnknown, kSafetensors, kOnnx, kTflite, kPth, kPicture, kHdf5, kCompressed, kWebPage };

/// `head` is the file's first bytes, 16 of them or all; `size` is the size of the whole file in bytes; `path`
/// is looked at for its extension alone. Content wins over the extension.
FileKind kind_of_file(std::span<const std::byte> head, std::uint64_t size, const std::filesystem::path& path);

/// A Hugging Face folder, or a .safetensors, .onnx, .tflite or .pth file whatever it is called.
/// Errors: those of the reader; a format that this build leaves out, with the option that adds it; and where
/// it is no model, what it is instead: a picture, a folder of pictures, a web page, …
Result<Graph> read_model(const std::filesystem::path& path);

}  // namespace linnet::formats
