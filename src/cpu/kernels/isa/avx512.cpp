#include "cpu/kernels/isa/vector_avx512.h"
#include "cpu/kernels/table_body.h"

namespace linnet::cpu::avx512 {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("avx512");
  return kKernels;
}

}  // namespace linnet::cpu::avx512
