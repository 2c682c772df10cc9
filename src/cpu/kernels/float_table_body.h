// The part of a table that float32 and its halves have in common. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/depthwise/depthwise_body.h"
#include "cpu/kernels/elementwise/elementwise_body.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/pool/pool_body.h"

namespace linnet::cpu {
namespace {

constexpr const char* type_name(float) { return "_f32"; }
constexpr const char* type_name(Bf16) { return "_bf16"; }
constexpr const char* type_name(Fp16) { return "_fp16"; }

template <class V, class T>
constexpr FloatKernels<T> float_table(const char* isa) {
  using Depthwise = DepthwiseTypeFloat<V, T>;
  const char* const type = type_name(T{});
  return {
      .depthwise3_stride1 = {depthwise_fixed<Depthwise, 3, 1>, isa, "depthwise3_stride1", type},
      .depthwise3_stride2 = {depthwise_fixed<Depthwise, 3, 2>, isa, "depthwise3_stride2", type},
      .depthwise5_stride1 = {depthwise_fixed<Depthwise, 5, 1>, isa, "depthwise5_stride1", type},
      .depthwise5_stride2 = {depthwise_fixed<Depthwise, 5, 2>, isa, "depthwise5_stride2", type},
      .depthwise_any = {depthwise_any_float<V, T>, isa, "depthwise", type},
      .add = {add_float<V, T>, isa, "add", type},
      .multiply = {multiply_float<V, T>, isa, "multiply", type},
      .activate = {activate_float<V, T>, isa, "activate", type},
      .pool = {pool_float<V, T>, isa, "pool", type},
      .pad = {scalar::pad_float<T>, "scalar", "pad", type},
      .softmax = {scalar::softmax_f32, "scalar", "softmax", type},
  };
}

}  // namespace
}  // namespace linnet::cpu
