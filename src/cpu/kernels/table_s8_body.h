// Fills the int8 table of one ISA from the generic bodies. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_s8_body.h"
#include "cpu/kernels/kernels_s8.h"

namespace linnet::cpu {
namespace {

template <class D>
constexpr KernelsS8 table_s8(const char* isa) {
  return {
      .isa = isa,
      .layout = D::kLayout,
      .pointwise = {convolution_s8<D>, isa, "pointwise_s8"},
      .convolution = {convolution_s8<D>, isa, "convolution_s8"},
      .linear = {convolution_s8<D>, isa, "linear_s8"},
      .depthwise3_stride1 = {},
      .depthwise3_stride2 = {},
      .depthwise5_stride1 = {},
      .depthwise5_stride2 = {},
      .depthwise_any = {},
      .add = {},
      .multiply = {},
      .lookup = {},
      .pool = {},
      .pad = {},
      .quantize_input = {},
  };
}

}  // namespace
}  // namespace linnet::cpu
