// Fills the table of one ISA from the generic bodies. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_body.h"
#include "cpu/kernels/depthwise/depthwise_body.h"
#include "cpu/kernels/elementwise/elementwise_body.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/pool/pool_body.h"
#include "cpu/kernels/probe/probe_body.h"

namespace linnet::cpu {
namespace {

template <class V>
constexpr Kernels table(const char* isa) {
  return {
      .isa = isa,
      .width = V::kWidth,
      .pointwise = {convolution_f32<V>, isa, "pointwise_f32"},
      .convolution = {convolution_f32<V>, isa, "convolution_f32"},
      .linear = {convolution_f32<V>, isa, "linear_f32"},
      .depthwise3_stride1 = {depthwise_fixed<DepthwiseTypeF32<V>, 3, 1>, isa, "depthwise3_stride1_f32"},
      .depthwise3_stride2 = {depthwise_fixed<DepthwiseTypeF32<V>, 3, 2>, isa, "depthwise3_stride2_f32"},
      .depthwise5_stride1 = {depthwise_fixed<DepthwiseTypeF32<V>, 5, 1>, isa, "depthwise5_stride1_f32"},
      .depthwise5_stride2 = {depthwise_fixed<DepthwiseTypeF32<V>, 5, 2>, isa, "depthwise5_stride2_f32"},
      .depthwise_any = {depthwise_any_f32<V>, isa, "depthwise_f32"},
      .add = {add_f32<V>, isa, "add_f32"},
      .multiply = {multiply_f32<V>, isa, "multiply_f32"},
      .activate = {activate_f32<V>, isa, "activate_f32"},
      .pool = {pool_f32<V>, isa, "pool_f32"},
      .pad = {scalar::pad_f32, "scalar", "pad_f32"},
      .softmax = {scalar::softmax_f32, "scalar", "softmax_f32"},
      .probe = probe<V>(),
  };
}

}  // namespace
}  // namespace linnet::cpu
