// The kernels that training needs besides those of kernels.h, of one ISA, as tables.
#pragma once

#include "cpu/kernels/batch_norm/batch_norm.h"
#include "cpu/kernels/fake_quantize/fake_quantize_f32.h"
#include "cpu/kernels/gradient/depthwise_gradient_f32.h"
#include "cpu/kernels/gradient/product_sums_f32.h"
#include "cpu/kernels/gradient/products_bf16.h"
#include "cpu/kernels/gradient/weight_gradient_f32.h"

namespace linnet::cpu {

/// Batch norm's passes over values that are stored as T: float or Bf16.
template <class T>
struct BatchNormKernels {
  void (*statistics)(const StatisticsOf<T>&);
  void (*normalise)(const NormaliseOf<T, float>&);
  void (*activation_gradient)(const ActivationGradientOf<T>&);
  void (*normalise_gradient)(const NormaliseGradientOf<T, float>&);
};

struct KernelsTrain : BatchNormKernels<float> {
  void (*weight_gradient)(const WeightGradientF32&);
  void (*depthwise_weight_gradient)(const DepthwiseWeightGradientF32&);
  void (*depthwise_input_gradient)(const DepthwiseInputGradientF32&);
  void (*product_sums)(const ProductSumsF32&);
  void (*fake_quantize)(const FakeQuantizeF32&);
  void (*fake_quantize_gradient)(FakeQuantizeGradientF32&);
};

/// Products of bfloat16, and batch norm's passes that write what they read. T: as what it is stored.
struct KernelsProductsBf16 {
  void (*normalise)(const NormaliseOf<Bf16, Bf16>&);
  void (*normalise_float)(const NormaliseOf<float, Bf16>&);
  void (*normalise_gradient)(const NormaliseGradientOf<Bf16, Bf16>&);
  void (*normalise_gradient_float)(const NormaliseGradientOf<float, Bf16>&);
  void (*pack)(const PackBf16&);
  void (*product)(const ProductBf16&);
  void (*weight_gradient)(const WeightGradientBf16&);
};

namespace scalar {
const KernelsTrain& kernels_train();
const BatchNormKernels<Bf16>& batch_norm_bf16();
}  // namespace scalar
#if defined(__x86_64__)
namespace avx2 {
const KernelsTrain& kernels_train();
const BatchNormKernels<Bf16>& batch_norm_bf16();
}  // namespace avx2
namespace avx512 {
const KernelsTrain& kernels_train();
const BatchNormKernels<Bf16>& batch_norm_bf16();
}  // namespace avx512
namespace avx512_bf16 {
const BatchNormKernels<Bf16>& batch_norm_bf16();
const KernelsProductsBf16& products_bf16() noexcept;  ///< by vdpbf16ps
}  // namespace avx512_bf16
namespace avx512_amx {
const KernelsProductsBf16& products_bf16() noexcept;  ///< by tdpbf16ps
}
#elif defined(__aarch64__)
namespace neon {
const KernelsTrain& kernels_train();
const BatchNormKernels<Bf16>& batch_norm_bf16();
}  // namespace neon
#endif

}  // namespace linnet::cpu
