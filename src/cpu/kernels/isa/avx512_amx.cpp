// Dense layers on AMX's tiles. int8's depthwise, pools and the rest are VNNI's.
#include "cpu/kernels/isa/convolution_amx_s8.h"
#include "cpu/kernels/kernels_s8.h"

namespace linnet::cpu::avx512_amx {

const KernelsS8& kernels_s8() noexcept {
  static const KernelsS8 kKernels = [] {
    constexpr const char* kIsa = "avx512_amx";
    KernelsS8 table = avx512_vnni::kernels_s8();
    table.isa = kIsa;
    table.layout = Dot::kLayout;
    table.pointwise = {convolution_s8, kIsa, "pointwise_s8"};
    table.convolution = {convolution_s8, kIsa, "convolution_s8"};
    table.linear = {convolution_s8, kIsa, "linear_s8"};
    return table;
  }();
  return kKernels;
}

}  // namespace linnet::cpu::avx512_amx
