// The roofline of a machine (Williams, Waterman, Patterson: "Roofline", 2009) with a dot a layer.
#pragma once

#include <string>

#include "cpu/benchmark.h"
#include "cpu/ceiling.h"

namespace linnet::cli {

/// An SVG file. Across: multiply-adds a byte of the layer's input, output and weights; up: multiply-adds a
/// second. Lines are what the caches, the memory and the arithmetic of that precision ("float32", "bf16",
/// "int8") give at most. Layers without multiply-adds or time are left out.
std::string draw_roofline(const cpu::Ceiling& ceiling, const cpu::BenchResult& result,
                          const std::string& precision, const std::string& model);

}  // namespace linnet::cli
