// Fills the float32 table of one ISA from the generic bodies. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_body.h"
#include "cpu/kernels/float_table_body.h"
#include "cpu/kernels/probe/probe_body.h"

namespace linnet::cpu {
namespace {

template <class V>
constexpr Kernels table(const char* isa) {
  return {
      float_table<V, float>(isa),
      isa,
      V::kWidth,
      {convolution_f32<V>, isa, "pointwise", "_f32"},
      {convolution_f32<V>, isa, "convolution", "_f32"},
      {convolution_f32<V>, isa, "linear", "_f32"},
      probe<V>(),
  };
}

}  // namespace
}  // namespace linnet::cpu
