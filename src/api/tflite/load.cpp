#include <linnet/tflite.h>

#include "api/model_factory.h"
#include "formats/tflite/reader.h"

namespace linnet {

Result<Model> load_tflite(const std::string& path, const LoadOptions& options) {
  const ModelReader reader = [](const std::filesystem::path& file) { return formats::read_tflite(file); };
  return ModelFactory::load({.name = path, .path = path}, reader, options);
}

}  // namespace linnet
