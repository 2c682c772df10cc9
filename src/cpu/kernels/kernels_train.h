// The float32 kernels that training needs besides those of kernels.h, of one ISA, as a table.
#pragma once

#include "cpu/kernels/batch_norm/batch_norm_f32.h"
#include "cpu/kernels/fake_quantize/fake_quantize_f32.h"
#include "cpu/kernels/gradient/depthwise_gradient_f32.h"
#include "cpu/kernels/gradient/product_sums_f32.h"
#include "cpu/kernels/gradient/weight_gradient_f32.h"

namespace linnet::cpu {

struct KernelsTrain {
  void (*statistics)(const StatisticsF32&);
  void (*normalise)(const NormaliseF32&);
  void (*activation_gradient)(const ActivationGradientF32&);
  void (*normalise_gradient)(const NormaliseGradientF32&);
  void (*weight_gradient)(const WeightGradientF32&);
  void (*depthwise_weight_gradient)(const DepthwiseWeightGradientF32&);
  void (*depthwise_input_gradient)(const DepthwiseInputGradientF32&);
  void (*product_sums)(const ProductSumsF32&);
  void (*fake_quantize)(const FakeQuantizeF32&);
  void (*fake_quantize_gradient)(FakeQuantizeGradientF32&);
};

namespace scalar {
const KernelsTrain& kernels_train();
}
#if defined(__x86_64__)
namespace avx2 {
const KernelsTrain& kernels_train();
}
namespace avx512 {
const KernelsTrain& kernels_train();
}
#elif defined(__aarch64__)
namespace neon {
const KernelsTrain& kernels_train();
}
#endif

}  // namespace linnet::cpu
