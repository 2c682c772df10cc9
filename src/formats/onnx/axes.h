// The dimensions that reshaping operators give, for constants and activations alike.
#pragma once

#include "base/result.h"
#include "formats/onnx/tensor.h"

namespace linnet::formats::onnx {

/// Reshape: 0 copies a dimension (unless `allow_zero`), one -1 takes what is left.
Result<Dims> reshaped_dims(const Dims& dims, const Dims& target, bool allow_zero);
/// Flatten: two dimensions, the first `axis` ones multiplied and the rest.
Result<Dims> flattened_dims(const Dims& dims, std::int64_t axis);
/// Squeeze: without the named axes, or without all of size one where `axes` is empty.
Result<Dims> squeezed_dims(const Dims& dims, const Dims& axes);
/// Unsqueeze: with an axis of size one at each of the named places of the result.
Result<Dims> unsqueezed_dims(const Dims& dims, const Dims& axes);
/// Transpose: result axis i is axis permutation[i]; checked, reversed axes where `perm` is empty.
Result<std::vector<std::size_t>> checked_permutation(const Dims& perm, std::size_t rank);

}  // namespace linnet::formats::onnx
