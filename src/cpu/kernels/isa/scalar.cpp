#include "cpu/kernels/convolution/convolution_s8_scalar.h"
#include "cpu/kernels/depthwise/depthwise_s8_plain.h"
#include "cpu/kernels/elementwise/elementwise_s8_scalar.h"
#include "cpu/kernels/isa/vector_scalar.h"
#include "cpu/kernels/kernels_s8.h"
#include "cpu/kernels/table_body.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::scalar {

const Kernels& kernels() {
  static constexpr Kernels kKernels = table<F32>("scalar");
  return kKernels;
}

const KernelsTrain& kernels_train() {
  static constexpr KernelsTrain kKernels = table_train<F32>();
  return kKernels;
}

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels = {
      .isa = "scalar",
      .layout = kScalarLayoutS8,
      .pointwise = {convolution_s8_scalar, "scalar", "pointwise_s8"},
      .convolution = {convolution_s8_scalar, "scalar", "convolution_s8"},
      .linear = {convolution_s8_scalar, "scalar", "linear_s8"},
      .depthwise_layout =
          {.form = QuadForm::kNone, .lanes = 1, .narrow_lanes = 1, .offset_even = 0, .offset_odd = 0},
      .depthwise_quads = {},
      .depthwise_columns = {},
      .depthwise_float = {},
      .depthwise_float_narrow = {},
      .depthwise_any = {depthwise_any_s8<ScalarEndS8>, "scalar", "depthwise_any_s8"},
      .add = {add_s8, "scalar", "add_s8"},
      .multiply = {multiply_s8, "scalar", "multiply_s8"},
      .lookup = {lookup_s8, "scalar", "lookup_s8"},
      .pool = {pool_s8, "scalar", "pool_s8"},
      .pad = {pad_s8, "scalar", "pad_s8"},
      .quantize_input = {quantize_input_s8, "scalar", "quantize_input_s8"},
  };
  return kKernels;
}

}  // namespace linnet::cpu::scalar
