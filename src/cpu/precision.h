// In what numbers a graph is stored and multiplied.
#pragma once

#include <string_view>

#include "base/result.h"

namespace linnet::cpu {

/// Whatever it is, images and scores are float32 outside, and sums are float32 or, of int8, int32 inside.
enum class Precision {
  kFloat32,
  kBf16,  ///< weights and activations of a float graph as bfloat16, each rounded once where it is stored
  kFp16,  ///< the same as IEEE 754 binary16: more digits, but 65504 is the largest
  kInt8,  ///< of an int8 graph
};

/// "float32", "bf16", "fp16", "int8"
std::string_view to_string(Precision precision);

/// Errors: no such precision (kUsage).
Result<Precision> parse_precision(std::string_view name);

}  // namespace linnet::cpu
