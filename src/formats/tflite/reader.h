// Reads TensorFlow Lite models of float precision, and those of int8 or uint8 throughout.
//
// Read: convolution, depthwise, fully connected, residual and constant add, gate and constant multiply,
// global pool, zero padding, reshapes around the head, softmax, ReLU, ReLU6, hard-swish and hard-sigmoid also
// where they are decomposed; weights as float32 or as float16 behind DEQUANTIZE; labels and normalisation
// from TFLite's metadata. A quantised file becomes an int8 graph: weights with one scale or one a channel,
// TensorFlow 1's with a zero point; QUANTIZE and DEQUANTIZE at its ends vanish, and so does its softmax.
// Everything else is refused by operator and name: among it int16, and integer weights in a float model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "graph/graph.h"

namespace linnet::formats {

/// The first graph of a .tflite file, its nodes named after the tensors that they compute. Constants view the
/// mapped file where they are aligned to four bytes. Errors name the file, the operator and what to do; a
/// hostile file cannot make the reader allocate more than a small multiple of its own size.
Result<Graph> read_tflite(const std::filesystem::path& path);

/// The same from bytes in memory, which are copied; `name` stands for the file in errors and in Graph::name.
Result<Graph> read_tflite(std::span<const std::byte> bytes, std::string_view name);

}  // namespace linnet::formats
