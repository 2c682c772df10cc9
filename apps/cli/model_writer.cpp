#include "model_writer.h"

#ifdef LINNET_HAS_ONNX
#include "formats/onnx/writer.h"
#endif
#include "formats/safetensors/safetensors.h"

namespace linnet::cli {

Result<ModelWriter> model_writer(const std::filesystem::path& out) {
  const std::string extension = out.extension().string();
  if (extension == ".safetensors") return formats::write_safetensors;
#ifdef LINNET_HAS_ONNX
  if (extension == ".onnx") return formats::write_onnx;
#endif
  return usage("{}: Linnet writes .safetensors and .onnx; name the file so", out.string());
}

}  // namespace linnet::cli
