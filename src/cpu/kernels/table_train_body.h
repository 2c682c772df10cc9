// Fills the table of training's kernels of one ISA from the generic bodies. Internal linkage: see
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

template <class V>
constexpr KernelsTrain table_train() {
  return {
      .statistics = statistics_f32<V>,
      .normalise = normalise_f32<V>,
      .activation_gradient = activation_gradient_f32<V>,
      .normalise_gradient = normalise_gradient_f32<V>,
      .weight_gradient = weight_gradient_f32<V>,
      .depthwise_weight_gradient = depthwise_weight_gradient_f32<V>,
      .depthwise_input_gradient = depthwise_input_gradient_f32<V>,
      .product_sums = product_sums_f32<V>,
      .fake_quantize = fake_quantize_f32<V>,
      .fake_quantize_gradient = fake_quantize_gradient_f32<V>,
  };
}

}  // namespace
}  // namespace linnet::cpu
