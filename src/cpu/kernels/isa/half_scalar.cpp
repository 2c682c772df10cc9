#include "cpu/kernels/half_table_body.h"
#include "cpu/kernels/isa/vector_scalar.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::scalar {

const HalfKernels<Bf16>& kernels_bf16() {
  static constexpr HalfKernels<Bf16> kKernels = half_table<DotConverted<F32, Bf16>>("scalar");
  return kKernels;
}

const HalfKernels<Fp16>& kernels_fp16() {
  static constexpr HalfKernels<Fp16> kKernels = half_table<DotConverted<F32, Fp16>>("scalar");
  return kKernels;
}

const BatchNormKernels<Bf16>& batch_norm_bf16() {
  static constexpr BatchNormKernels<Bf16> kKernels = table_batch_norm<F32, Bf16>();
  return kKernels;
}

}  // namespace linnet::cpu::scalar
