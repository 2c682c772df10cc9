// TFLite's model metadata: labels and normalisation, where the file has them.
#pragma once

#include "formats/tflite/model_file.h"
#include "graph/preprocessing.h"

namespace linnet::formats::tflite {

struct Metadata {
  std::vector<std::string> labels;             ///< one a class, or none
  std::optional<Preprocessing> preprocessing;  ///< TensorFlow's, with the file's mean and deviation
};

/// Nothing where the file has no metadata. Errors: metadata that is damaged, that names a label file which is
/// not appended, or a normalisation that makes no sense.
Result<Metadata> read_metadata(const ModelFile& file);

}  // namespace linnet::formats::tflite
