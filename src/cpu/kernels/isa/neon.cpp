#include "cpu/kernels/isa/dot_neon.h"
#include "cpu/kernels/isa/quads_neon.h"
#include "cpu/kernels/isa/vector_neon.h"
#include "cpu/kernels/table_body.h"
#include "cpu/kernels/table_s8_body.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::neon {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("neon");
  return kKernels;
}

const KernelsTrain& kernels_train() {
  static constexpr KernelsTrain kKernels = table_train<F32>();
  return kKernels;
}

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels =
      table_s8<Dot, Quads>("neon", depthwise_quads<Quads>("neon"), {}, {}, {});
  return kKernels;
}

}  // namespace linnet::cpu::neon
