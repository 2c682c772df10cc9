// Loads TFLite models. A library of its own beside <linnet/linnet.h>: link linnet::tflite.
#pragma once

#include <linnet/linnet.h>

namespace linnet {

/// A TensorFlow Lite file in float32 as a Model. Errors: as Model::load; operators that no MobileNet has, by
/// name.
Result<Model> load_tflite(const std::string& path, const LoadOptions& options = {});

}  // namespace linnet
