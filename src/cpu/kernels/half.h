// Floating-point numbers of 16 bits: activations and weights in half the memory. Kernels compute in float32
// and round once, to nearest even, where they store.
#pragma once

#include <cstdint>

namespace linnet::cpu {

/// bfloat16: the upper half of a float32.
struct Bf16 {
  std::uint16_t bits;
};

/// IEEE 754 binary16.
struct Fp16 {
  std::uint16_t bits;
};

}  // namespace linnet::cpu
