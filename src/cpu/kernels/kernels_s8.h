// The int8 kernels of one ISA, as a table. Whoever holds a table may run it only where the CPU has that ISA.
// Every kernel computes exactly what numerics/int8.h says, on every ISA, fused or not.
#pragma once

#include "cpu/kernels/convolution/convolution_s8.h"
#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "cpu/kernels/elementwise/elementwise_s8.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/pad/pad_s8.h"
#include "cpu/kernels/pool/pool_s8.h"

namespace linnet::cpu {

/// Depthwise kernels by window and stride.
struct DepthwiseSquaresS8 {
  Kernel<DepthwiseS8> of3_stride1;
  Kernel<DepthwiseS8> of3_stride2;
  Kernel<DepthwiseS8> of5_stride1;
  Kernel<DepthwiseS8> of5_stride2;
};

struct KernelsS8 {
  const char* isa;             ///< "avx512_vnni"
  ConvolutionLayoutS8 layout;  ///< how the weights of `pointwise`, `convolution` and `linear` are packed
  Kernel<ConvolutionS8> pointwise;
  Kernel<ConvolutionS8> convolution;
  Kernel<ConvolutionS8> linear;
  /// Whose layout and dense kernels are faster for a single pixel and for windows of at most `shallow_depth`
  /// values; nullptr: nobody's.
  const KernelsS8* shallow = nullptr;
  int shallow_depth = 0;
  bool stores_unsigned = false;               ///< multiply, and depthwise on quads, know y_is_unsigned
  DepthwiseLayoutS8 depthwise_layout;         ///< which of the next five runs a layer, and on what weights
  DepthwiseSquaresS8 depthwise_quads;         ///< null where layout.form is kNone
  DepthwiseSquaresS8 depthwise_columns;       ///< null where not layout.has_columns
  DepthwiseSquaresS8 depthwise_float;         ///< null where no layer runs in float
  DepthwiseSquaresS8 depthwise_float_narrow;  ///< for fewer channels than the vectors of that one have lanes
  Kernel<DepthwiseS8> depthwise_any;          ///< any window
  Kernel<AddS8> add;
  Kernel<MultiplyS8> multiply;
  Kernel<LookupS8> lookup;
  Kernel<PoolS8> pool;
  Kernel<PadS8> pad;
  Kernel<QuantizeInputS8> quantize_input;
};

namespace scalar {
const KernelsS8& kernels_s8() noexcept;
}
#if defined(__x86_64__)
namespace avx2 {
const KernelsS8& kernels_s8() noexcept;
}
namespace avx512 {
const KernelsS8& kernels_s8() noexcept;
}
namespace avx512_vnni {
const KernelsS8& kernels_s8() noexcept;
}
namespace avx512_vbmi {
const KernelsS8& kernels_s8() noexcept;  ///< avx512_vnni's, with bytes that go anywhere in one instruction
}
namespace avx512_amx {
const KernelsS8& kernels_s8() noexcept;  ///< dense layers on tiles, all else avx512_vbmi's
}
#elif defined(__aarch64__)
namespace neon {
const KernelsS8& kernels_s8() noexcept;
}
namespace neon_dot {
const KernelsS8& kernels_s8() noexcept;
}
#endif

}  // namespace linnet::cpu
