// Operators on constants alone, computed while reading: what exporters leave of shapes, axes and weights.
#pragma once

#include "formats/onnx/translator.h"

namespace linnet::formats::onnx {

/// True if the operator can be folded where its inputs are known: Shape and Size always (dimensions are known
/// even where the numbers are not), the others where every input is a constant.
bool folds(const Call& call);

/// The node's first output. `budget` is how many more values the whole file may make, and is drawn upon: a
/// small file cannot ask for a large memory. Errors: an operator that Linnet does not fold, inputs that it
/// cannot take.
Result<Tensor> fold(const Call& call, std::int64_t& budget);

}  // namespace linnet::formats::onnx
