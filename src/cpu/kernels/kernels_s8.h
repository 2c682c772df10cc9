// The int8 kernels of one ISA, as a table. Whoever holds a table may run it only where the CPU has that ISA.
// Every kernel computes exactly what numerics/int8.h says, on every ISA, fused or not.
#pragma once

#include "cpu/kernels/convolution/convolution_s8.h"
#include "cpu/kernels/kernels.h"

namespace linnet::cpu {

struct DepthwiseS8;
struct AddS8;
struct MultiplyS8;
struct LookupS8;
struct PoolS8;
struct PadS8;
struct QuantizeInputS8;

struct KernelsS8 {
  const char* isa;             ///< "avx512_vnni"
  ConvolutionLayoutS8 layout;  ///< how the weights of `pointwise`, `convolution` and `linear` are packed
  Kernel<ConvolutionS8> pointwise;
  Kernel<ConvolutionS8> convolution;
  Kernel<ConvolutionS8> linear;
  Kernel<DepthwiseS8> depthwise3_stride1;  ///< windows of 3 x 3
  Kernel<DepthwiseS8> depthwise3_stride2;
  Kernel<DepthwiseS8> depthwise5_stride1;  ///< windows of 5 x 5
  Kernel<DepthwiseS8> depthwise5_stride2;
  Kernel<DepthwiseS8> depthwise_any;
  Kernel<AddS8> add;
  Kernel<MultiplyS8> multiply;
  Kernel<LookupS8> lookup;
  Kernel<PoolS8> pool;
  Kernel<PadS8> pad;
  Kernel<QuantizeInputS8> quantize_input;
};

namespace scalar {
const KernelsS8& kernels_s8();
}
#if defined(__x86_64__)
namespace avx2 {
const KernelsS8& kernels_s8();
}
namespace avx512 {
const KernelsS8& kernels_s8();
}
namespace avx512_vnni {
const KernelsS8& kernels_s8();
}
#elif defined(__aarch64__)
namespace neon {
const KernelsS8& kernels_s8();
}
namespace neon_dot {
const KernelsS8& kernels_s8();
}
#endif

}  // namespace linnet::cpu
