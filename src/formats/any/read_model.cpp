#include "formats/any/read_model.h"

#include <algorithm>
#include <cstring>

#include "base/file.h"
#include "formats/safetensors/safetensors.h"
#ifdef LINNET_HAS_ONNX
#include "formats/onnx/reader.h"
#endif
#ifdef LINNET_HAS_TFLITE
#include "formats/tflite/reader.h"
#endif
#ifdef LINNET_HAS_PTH
#include "formats/pth/pth.h"
#endif

namespace linnet::formats {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModels =
    "a model is a Hugging Face folder, or a .safetensors, .onnx, .tflite or .pth file";

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension;
}

/// Magic bytes of what is kept in files beside models.
FileKind kind_by_signature(std::string_view head) {
  using enum FileKind;
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  const auto has = [&](std::size_t at, std::string_view magic) {
    return head.size() >= at && head.substr(at).starts_with(magic);
  };
  if (has(4, "TFL3")) return kTflite;
  if (starts("PK\x03\x04")) return kPth;
  if (starts("\xff\xd8\xff") || starts("\x89PNG") || starts("GIF8") || (starts("RIFF") && has(8, "WEBP")))
    return kPicture;
  if (starts("BM") && has(6, std::string_view("\0\0\0\0", 4))) return kPicture;  // BMP: four reserved zeros
  if (head.size() > 2 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
      (head[2] == '\n' || head[2] == ' '))
    return kPicture;
  if (starts("\x89HDF\r\n\x1a\n")) return kHdf5;
  if (starts("\x1f\x8b") || starts("BZh") ||
      starts("\xfd"
             "7zXZ") ||
      starts("\x28\xb5\x2f\xfd"))
    return kCompressed;
  if (starts("<!DOCTYPE") || starts("<!doctype") || starts("<html") || starts("<HTML") || starts("<?xml"))
    return kWebPage;
  return kUnknown;
}

/// safetensors: eight bytes that are the length of the JSON object behind them.
bool is_safetensors(std::string_view head, std::uint64_t size) {
  if (head.size() < 10 || head[8] != '{') return false;
  std::uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof(length));
  return length >= 2 && length <= size - 8;
}

/// ONNX has no magic; every ModelProto that is written starts with field 1, ir_version, a small number, and
/// goes on with one of its fields 2 to 8 or 14, 20 (onnx.proto).
bool is_onnx(std::string_view head) {
  if (head.size() < 4 || head[0] != 0x08 || head[1] < 1 || head[1] > 0x20) return false;
  const int field = (head[2] & 0x7f) >> 3, wire = head[2] & 7;
  return (field >= 2 && field <= 8 && (wire == 0 || wire == 2)) || head[2] == 0x72 ||
         static_cast<unsigned char>(head[2]) == 0xa2;
}

#if !defined(LINNET_HAS_ONNX) || !defined(LINNET_HAS_TFLITE) || !defined(LINNET_HAS_PTH)
Result<Graph> left_out(const fs::path& path, std::string_view format, std::string_view option) {
  return fail("{}: this build of Linnet does not read {}; configure it with -D{}=ON", path.string(), format,
              option);
}
#endif

Result<Graph> read_onnx_or_say(const fs::path& path) {
#ifdef LINNET_HAS_ONNX
  return read_onnx(path);
#else
  return left_out(path, "ONNX", "LINNET_ONNX");
#endif
}

Result<Graph> read_tflite_or_say(const fs::path& path) {
#ifdef LINNET_HAS_TFLITE
  return read_tflite(path);
#else
  return left_out(path, "TensorFlow Lite", "LINNET_TFLITE");
#endif
}

Result<Graph> read_pth_or_say(const fs::path& path) {
#ifdef LINNET_HAS_PTH
  return read_pth(path);
#else
  return left_out(path, "PyTorch's .pth", "LINNET_PTH");
#endif
}

Result<Graph> read_folder(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "saved_model.pb", ignored))
    return fail(
        "{}: is a TensorFlow SavedModel; convert it with TensorFlow's TFLiteConverter and pass the .tflite "
        "file",
        folder.string());
  const bool looks_like_a_model = std::ranges::any_of(
      std::initializer_list<std::string_view>{"config.json", "model.safetensors", "pytorch_model.bin"},
      [&](std::string_view name) { return fs::exists(folder / name, ignored); });
  if (!looks_like_a_model)
    return fail("{}: is a folder without a model: no config.json in it, as Hugging Face's folders have; {}",
                folder.string(), kModels);
#ifdef LINNET_HAS_PTH
  return read_huggingface(folder, read_pth_tensors);
#else
  return read_huggingface(folder);
#endif
}

}  // namespace

FileKind kind_of_file(std::span<const std::byte> head, std::uint64_t size, const fs::path& path) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  const std::string extension = lower_extension(path);
  const FileKind signature = kind_by_signature(text);
  if (signature != FileKind::kUnknown) return signature;
  if (is_safetensors(text, size)) return FileKind::kSafetensors;
  // From here on bytes are only likely, so that a name counts for more.
  if (extension == ".safetensors") return FileKind::kSafetensors;
  if (extension == ".tflite") return FileKind::kTflite;
  if (extension == ".pth" || extension == ".pt" || extension == ".bin") return FileKind::kPth;
  if (extension == ".onnx" || is_onnx(text)) return FileKind::kOnnx;
  return FileKind::kUnknown;
}

Result<Graph> read_model(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return read_folder(path);
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.empty()) return fail("{}: is empty; {}", path.string(), kModels);
  switch (kind_of_file(bytes.first(std::min<std::size_t>(bytes.size(), 16)), bytes.size(), path)) {
    case FileKind::kSafetensors: return read_safetensors(path);
    case FileKind::kOnnx: return read_onnx_or_say(path);
    case FileKind::kTflite: return read_tflite_or_say(path);
    case FileKind::kPth: return read_pth_or_say(path);
    case FileKind::kPicture: return fail("{}: is a picture, not a model; {}", path.string(), kModels);
    case FileKind::kHdf5:
      return fail(
          "{}: is an HDF5 file (Keras); Linnet reads its model as .tflite or .onnx, which Keras exports",
          path.string());
    case FileKind::kCompressed: return fail("{}: is compressed; unpack it first", path.string());
    case FileKind::kWebPage:
      return fail("{}: is a web page, not a model; did a download go wrong?", path.string());
    case FileKind::kUnknown: break;
  }
  return fail("{}: is no model that Linnet knows; {}", path.string(), kModels);
}

}  // namespace linnet::formats
