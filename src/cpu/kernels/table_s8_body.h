// Fills the int8 table of one ISA from the generic bodies. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/convolution/convolution_s8_body.h"
#include "cpu/kernels/depthwise/depthwise_columns_s8.h"
#include "cpu/kernels/depthwise/depthwise_float_s8.h"
#include "cpu/kernels/depthwise/depthwise_s8_body.h"
#include "cpu/kernels/depthwise/depthwise_s8_plain.h"
#include "cpu/kernels/elementwise/elementwise_s8_body.h"
#include "cpu/kernels/kernels_s8.h"
#include "cpu/kernels/pool/pool_s8_body.h"

namespace linnet::cpu {
namespace {

template <class Q>
constexpr DepthwiseSquaresS8 depthwise_quads(const char* isa) {
  return {
      .of3_stride1 = {depthwise_square_s8<Q, 3, 1>, isa, "depthwise3_stride1_s8"},
      .of3_stride2 = {depthwise_square_s8<Q, 3, 2>, isa, "depthwise3_stride2_s8"},
      .of5_stride1 = {depthwise_square_s8<Q, 5, 1>, isa, "depthwise5_stride1_s8"},
      .of5_stride2 = {depthwise_square_s8<Q, 5, 2>, isa, "depthwise5_stride2_s8"},
  };
}

template <class Q>
constexpr DepthwiseSquaresS8 depthwise_columns(const char* isa) {
  return {
      .of3_stride1 = {depthwise_columns_s8<Q, 3, 1>, isa, "depthwise3_stride1_s8"},
      .of3_stride2 = {depthwise_columns_s8<Q, 3, 2>, isa, "depthwise3_stride2_s8"},
      .of5_stride1 = {depthwise_columns_s8<Q, 5, 1>, isa, "depthwise5_stride1_s8"},
      .of5_stride2 = {depthwise_columns_s8<Q, 5, 2>, isa, "depthwise5_stride2_s8"},
  };
}

template <class F, class V>
constexpr DepthwiseSquaresS8 depthwise_float(const char* isa) {
  using Type = DepthwiseTypeS8<F, V>;
  return {
      .of3_stride1 = {depthwise_fixed<Type, 3, 1>, isa, "depthwise3_stride1_s8_in_f32"},
      .of3_stride2 = {depthwise_fixed<Type, 3, 2>, isa, "depthwise3_stride2_s8_in_f32"},
      .of5_stride1 = {depthwise_fixed<Type, 5, 1>, isa, "depthwise5_stride1_s8_in_f32"},
      .of5_stride2 = {depthwise_fixed<Type, 5, 2>, isa, "depthwise5_stride2_s8_in_f32"},
  };
}

template <class D, class Q>
constexpr KernelsS8 table_s8(const char* isa, const DepthwiseSquaresS8& quads,
                             const DepthwiseSquaresS8& columns, const DepthwiseSquaresS8& in_float,
                             const DepthwiseSquaresS8& in_float_narrow) {
  using V = typename Q::Int8;
  return {
      .isa = isa,
      .layout = D::kLayout,
      .pointwise = {convolution_s8<D>, isa, "pointwise_s8"},
      .convolution = {convolution_s8<D>, isa, "convolution_s8"},
      .linear = {convolution_s8<D>, isa, "linear_s8"},
      .stores_unsigned = StoresUnsigned<V>,
      .depthwise_layout = Q::kLayout,
      .depthwise_quads = quads,
      .depthwise_columns = columns,
      .depthwise_float = in_float,
      .depthwise_float_narrow = in_float_narrow,
      .depthwise_any = {depthwise_any_s8<VectorEndS8<V>>, isa, "depthwise_any_s8"},
      .add = {add_s8<V>, isa, "add_s8"},
      .multiply = {multiply_s8<Q>, isa, "multiply_s8"},
      .lookup = {lookup_s8<V>, isa, "lookup_s8"},
      .pool = {pool_s8<Q>, isa, "pool_s8"},
      .pad = {scalar::pad_s8, "scalar", "pad_s8"},
      .quantize_input = {quantize_input_s8<V>, isa, "quantize_input_s8"},
  };
}

}  // namespace
}  // namespace linnet::cpu
