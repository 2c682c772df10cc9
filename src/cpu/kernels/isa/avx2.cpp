#include "cpu/kernels/isa/dot_avx2.h"
#include "cpu/kernels/isa/quads_avx2.h"
#include "cpu/kernels/isa/vector_avx2.h"
#include "cpu/kernels/table_body.h"
#include "cpu/kernels/table_s8_body.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::avx2 {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("avx2");
  return kKernels;
}

const KernelsTrain& kernels_train() {
  static constexpr KernelsTrain kKernels = table_train<F32>();
  return kKernels;
}

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels =
      table_s8<Dot, Quads>("avx2", {}, {}, depthwise_float<F32, Quads::Int8>("avx2"), {});
  return kKernels;
}

}  // namespace linnet::cpu::avx2
