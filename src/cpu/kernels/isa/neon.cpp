#include "cpu/kernels/isa/vector_neon.h"
#include "cpu/kernels/table_body.h"

namespace linnet::cpu::neon {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("neon");
  return kKernels;
}

}  // namespace linnet::cpu::neon
