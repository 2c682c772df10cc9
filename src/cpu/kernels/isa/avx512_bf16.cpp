// bfloat16 multiplied as it is stored, by AVX512_BF16. Everything else is AVX-512's.
#include "cpu/kernels/half_table_body.h"
#include "cpu/kernels/isa/depthwise_avx512_bf16.h"
#include "cpu/kernels/isa/dot_avx512_bf16.h"

namespace linnet::cpu::avx512_bf16 {

const HalfKernels<Bf16>& kernels_bf16() {
  constexpr const char* kIsa = "avx512_bf16";
  constexpr const char* kType = "_pairs_bf16";
  static constexpr HalfKernels<Bf16> kKernels = [] {
    HalfKernels<Bf16> table = half_table<Dot>(kIsa);
    table.depthwise_pairs[0][0] = {depthwise_pairs<3, 1>, kIsa, "depthwise3_stride1", kType};
    table.depthwise_pairs[0][1] = {depthwise_pairs<3, 2>, kIsa, "depthwise3_stride2", kType};
    table.depthwise_pairs[1][0] = {depthwise_pairs<5, 1>, kIsa, "depthwise5_stride1", kType};
    table.depthwise_pairs[1][1] = {depthwise_pairs<5, 2>, kIsa, "depthwise5_stride2", kType};
    return table;
  }();
  return kKernels;
}

}  // namespace linnet::cpu::avx512_bf16
