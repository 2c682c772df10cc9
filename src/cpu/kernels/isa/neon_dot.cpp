// int8 alone: what float32 runs on is neon.
#include "cpu/kernels/isa/dot_neon_dot.h"
#include "cpu/kernels/isa/quads_neon_dot.h"
#include "cpu/kernels/table_s8_body.h"

namespace linnet::cpu::neon_dot {

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels =
      table_s8<Dot, Quads>("neon_dot", depthwise_quads<Quads>("neon_dot"), {}, {}, {});
  return kKernels;
}

}  // namespace linnet::cpu::neon_dot
