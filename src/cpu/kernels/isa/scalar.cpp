#include "cpu/kernels/isa/vector_scalar.h"
#include "cpu/kernels/table_body.h"

namespace linnet::cpu::scalar {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("scalar");
  return kKernels;
}

}  // namespace linnet::cpu::scalar
