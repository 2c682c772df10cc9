#include "cpu/kernels/convolution/convolution_s8_scalar.h"
#include "cpu/kernels/isa/vector_scalar.h"
#include "cpu/kernels/kernels_s8.h"
#include "cpu/kernels/table_body.h"

namespace linnet::cpu::scalar {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("scalar");
  return kKernels;
}

const KernelsS8& kernels_s8() {
  static constexpr KernelsS8 kKernels = {
      .isa = "scalar",
      .layout = kScalarLayoutS8,
      .pointwise = {convolution_s8_scalar, "scalar", "pointwise_s8"},
      .convolution = {convolution_s8_scalar, "scalar", "convolution_s8"},
      .linear = {convolution_s8_scalar, "scalar", "linear_s8"},
      .depthwise3_stride1 = {},
      .depthwise3_stride2 = {},
      .depthwise5_stride1 = {},
      .depthwise5_stride2 = {},
      .depthwise_any = {},
      .add = {},
      .multiply = {},
      .lookup = {},
      .pool = {},
      .pad = {},
      .quantize_input = {},
  };
  return kKernels;
}

}  // namespace linnet::cpu::scalar
