// The vector forms of int8.h as plain functions over arrays, for vectors_test.cpp: which instructions they
// use is their translation units' business.
#pragma once

#include "numerics/int8.h"

namespace linnet::numerics {

/// Each does `blocks` blocks of four vectors, 4 * lanes values a block.
struct VectorForm {
  const char* isa;
  int lanes;
  /// acc, scale, m, t: [4 * lanes] values of a block; y likewise.
  void (*requantize_in_float)(const int32_t* acc, const float* scale, linnet_output to, int blocks,
                              int8_t* y);
  void (*requantize)(const int32_t* acc, const int32_t* m, const int32_t* t, linnet_output to, int blocks,
                     int8_t* y);
  void (*add)(const int8_t* a, int32_t zero_a, const int8_t* b, int32_t zero_b, linnet_add_multiplier by,
              linnet_output to, int blocks, int8_t* y);
  void (*lookup)(const int8_t* table, const int8_t* x, int blocks, int8_t* y);
  /// One block; compact<vectors> of pack()'s bytes, all parts of it for 1 and 2, the first for 3.
  void (*pack_compact)(const int32_t* values, int vectors, int8_t* y);
  /// The first n bytes of x, then zeros, to y, of which n bytes are written.
  void (*copy_partial)(const int8_t* x, int n, int8_t* y, int8_t* loaded);
};

#if defined(__x86_64__)
const VectorForm& vectors_avx2();
const VectorForm& vectors_avx512();
const VectorForm& vectors_avx512_vbmi();
#elif defined(__aarch64__)
const VectorForm& vectors_neon();
#endif

}  // namespace linnet::numerics
