// Makes a Model from any reader: what each load function calls with the one reader that it links.
#pragma once

#include <linnet/linnet.h>

#include "api/model_source.h"

namespace linnet {

class ModelFactory {
 public:
  static Result<Model> load(const ModelSource& source, const ModelReader& reader, const LoadOptions& options);
};

}  // namespace linnet
