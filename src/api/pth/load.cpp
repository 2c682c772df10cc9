#include <linnet/pth.h>

#include "api/model_factory.h"
#include "formats/pth/pth.h"

namespace linnet {

Result<Model> load_pth(const std::string& path, const LoadOptions& options) {
  const ModelReader reader = [](const std::filesystem::path& file) { return formats::read_pth(file); };
  return ModelFactory::load({.name = path, .path = path}, reader, options);
}

}  // namespace linnet
