#include "cpu/kernels/isa/vector_avx2.h"
#include "cpu/kernels/table_body.h"

namespace linnet::cpu::avx2 {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("avx2");
  return kKernels;
}

}  // namespace linnet::cpu::avx2
