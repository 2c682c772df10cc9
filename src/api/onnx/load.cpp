#include <linnet/onnx.h>

#include "api/model_factory.h"
#include "formats/onnx/reader.h"

namespace linnet {

Result<Model> load_onnx(const std::string& path, const LoadOptions& options) {
  const ModelReader reader = [](const std::filesystem::path& file) { return formats::read_onnx(file); };
  return ModelFactory::load({.name = path, .path = path}, reader, options);
}

}  // namespace linnet
