#include "cpu/kernels/isa/dot_avx512.h"
#include "cpu/kernels/isa/quads_avx512.h"
#include "cpu/kernels/isa/vector_avx512.h"
#include "cpu/kernels/table_body.h"
#include "cpu/kernels/table_s8_body.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::avx512 {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("avx512");
  return kKernels;
}

const KernelsTrain& kernels_train() {
  static constexpr KernelsTrain kKernels = table_train<F32>();
  return kKernels;
}

const KernelsS8& kernels_s8() noexcept {
  static const KernelsS8 kKernels = table_s8<Dot, Quads>(
      "avx512", {}, {}, depthwise_float<F32, Quads::Int8>("avx512"), avx2::kernels_s8().depthwise_float);
  return kKernels;
}

}  // namespace linnet::cpu::avx512
