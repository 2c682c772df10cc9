// Loads ONNX models. A library of its own beside <linnet/linnet.h>: link linnet::onnx.
#pragma once

#include <linnet/linnet.h>

namespace linnet {

/// An ONNX file in float32 as a Model. Errors: as Model::load; operators that no MobileNet has, by name.
Result<Model> load_onnx(const std::string& path, const LoadOptions& options = {});

}  // namespace linnet
