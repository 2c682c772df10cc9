// Fills the tables of training's kernels of one ISA from the generic bodies. Internal linkage: see
// finish_body.h.
#pragma once

#include "cpu/kernels/batch_norm/batch_norm_body.h"
#include "cpu/kernels/fake_quantize/fake_quantize_body.h"
#include "cpu/kernels/gradient/depthwise_gradient_body.h"
#include "cpu/kernels/gradient/product_sums_body.h"
#include "cpu/kernels/gradient/weight_gradient_body.h"
#include "cpu/kernels/kernels_train.h"

namespace linnet::cpu {
namespace {

/// T: as what values are stored, float or Bf16.
template <class V, class T>
constexpr BatchNormKernels<T> table_batch_norm() {
  return {
      .statistics = statistics<V, T>,
      .normalise = normalise<V, T, float>,
      .activation_gradient = activation_gradient<V, T>,
      .normalise_gradient = normalise_gradient<V, T, float>,
  };
}

template <class V>
constexpr KernelsTrain table_train() {
  return {
      table_batch_norm<V, float>(),    weight_gradient_f32<V>, depthwise_weight_gradient_f32<V>,
      depthwise_input_gradient_f32<V>, product_sums_f32<V>,    fake_quantize_f32<V>,
      fake_quantize_gradient_f32<V>,
  };
}

}  // namespace
}  // namespace linnet::cpu
