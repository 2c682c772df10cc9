// Dense layers on AMX's tiles. All else is avx512_vbmi's in int8, AVX512_BF16's in bfloat16.
#include "cpu/kernels/isa/convolution_amx_bf16.h"
#include "cpu/kernels/isa/convolution_amx_s8.h"
#include "cpu/kernels/kernels_s8.h"

namespace linnet::cpu::avx512_amx {
namespace {
constexpr const char* kIsa = "avx512_amx";
}

const KernelsS8& kernels_s8() noexcept {
  static const KernelsS8 kKernels = [] {
    KernelsS8 table = avx512_vbmi::kernels_s8();
    table.isa = kIsa;
    table.layout = Dot::kLayout;
    table.pointwise = {convolution_s8, kIsa, "pointwise_s8"};
    table.convolution = {convolution_s8, kIsa, "convolution_s8"};
    table.linear = {convolution_s8, kIsa, "linear_s8"};
    table.shallow = &avx512_vbmi::kernels_s8();
    table.shallow_depth = 16;
    return table;
  }();
  return kKernels;
}

const HalfKernels<Bf16>& kernels_bf16() noexcept {
  static const HalfKernels<Bf16> kKernels = [] {
    constexpr const char* kType = "_bf16";
    HalfKernels<Bf16> table = avx512_bf16::kernels_bf16();
    table.isa = kIsa;
    table.layout = kHalfLayout;
    // These CPUs issue vdpbf16ps at a quarter of the rate of FMA: no faster on pairs, and these have to be
    // shuffled.
    for (auto& of_size : table.depthwise_pairs)
      for (auto& kernel : of_size) kernel = {};
    table.pointwise = {convolution_bf16, kIsa, "pointwise", kType};
    table.convolution = {convolution_bf16, kIsa, "convolution", kType};
    table.linear = {convolution_bf16, kIsa, "linear", kType};
    return table;
  }();
  return kKernels;
}

}  // namespace linnet::cpu::avx512_amx
