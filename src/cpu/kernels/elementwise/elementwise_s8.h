// int8 kernels that touch every value once: residual add, the gate of squeeze-and-excite, functions of one
// value as tables, and the way in from float32. Each is a function of numerics/ on every value. y may be the
// first operand where that is int8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "numerics/int8.h"

namespace linnet::cpu {

/// y[i] = linnet_add(a[i], b[i])
struct AddS8 {
  const std::int8_t* a;
  const std::int8_t* b;
  std::int8_t* y;
  std::ptrdiff_t n;
  int zero_a;
  int zero_b;
  linnet_add_multiplier by;
  linnet_output to;
};

/// y[p, c] = linnet_multiply(x[p, c], gate[c])
struct MultiplyS8 {
  const std::int8_t* x;     ///< [pixels, c]
  const std::int8_t* gate;  ///< [c]
  std::int8_t* y;           ///< [pixels, c]
  std::ptrdiff_t pixels;
  int c;
  int zero_x;
  int zero_gate;
  linnet_multiplier by;
  linnet_output to;
  bool y_is_unsigned;  ///< y is stored plus 128, as unsigned bytes, where KernelsS8::stores_unsigned
};

/// y[i] = linnet_lookup(table, x[i])
struct LookupS8 {
  const std::int8_t* x;
  std::int8_t* y;
  std::ptrdiff_t n;
  const std::int8_t* table;  ///< 256 bytes
};

/// y[i] = quantize_real(x[i]), see numerics/multiplier.h
struct QuantizeInputS8 {
  const float* x;
  std::int8_t* y;
  std::ptrdiff_t n;
  float inverse_scale;
  int zero_point;
};

}  // namespace linnet::cpu
