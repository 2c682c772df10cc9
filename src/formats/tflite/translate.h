// From TFLite's operators to Linnet's.
#pragma once

#include "formats/tflite/model_file.h"
#include "graph/graph.h"

namespace linnet::formats::tflite {

/// The graph without labels. Its preprocessing is set only where the model rescales its own input, so that it
/// wants raw pixels. Errors: what Linnet does not run, and what does not fit together; they name the
/// operator.
Result<Graph> translate(ModelFile& file);

}  // namespace linnet::formats::tflite
