// int8 alone: what float32 runs on is avx512.
#include "cpu/kernels/isa/dot_avx512_vnni.h"
#include "cpu/kernels/isa/quads_avx512_vnni.h"
#include "cpu/kernels/table_s8_body.h"

namespace linnet::cpu::avx512_vnni {

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels = table_s8<Dot, Quads>(
      "avx512_vnni", depthwise_quads<Quads>("avx512_vnni"), depthwise_columns<Quads>("avx512_vnni"), {}, {});
  return kKernels;
}

}  // namespace linnet::cpu::avx512_vnni
