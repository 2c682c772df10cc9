// Fills the tables of 16-bit floats of one ISA from the generic bodies. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_half_body.h"
#include "cpu/kernels/float_table_body.h"

namespace linnet::cpu {
namespace {

/// Dot: what multiplies (convolution_half_body.h).
template <class Dot>
constexpr HalfKernels<typename Dot::Value> half_table(const char* isa) {
  using T = typename Dot::Value;
  using V = typename Dot::V;
  const char* const type = type_name(T{});
  return {
      float_table<V, T>(isa),
      isa,
      half_layout<Dot>(),
      {convolution_half<Dot>, isa, "pointwise", type},
      {convolution_half<Dot>, isa, "convolution", type},
      {convolution_half<Dot>, isa, "linear", type},
      {convert<V, float, T>, isa, "from_float", type},
      {convert<V, T, float>, isa, "to_float", type},
      {},
  };
}

}  // namespace
}  // namespace linnet::cpu
