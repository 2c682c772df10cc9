// The kernels of one ISA, as a table. Whoever holds a table may run it only where the CPU has that ISA.
#pragma once

#include <cstdint>

#include "cpu/kernels/convolution/convolution_f32.h"
#include "cpu/kernels/depthwise/depthwise_f32.h"
#include "cpu/kernels/elementwise/elementwise_f32.h"
#include "cpu/kernels/pad/pad_f32.h"
#include "cpu/kernels/pool/pool_f32.h"
#include "cpu/kernels/probe/probe.h"
#include "cpu/kernels/softmax/softmax_f32.h"

namespace linnet::cpu {

/// A function and its name, which `linnet bench --layers` shows as "avx512::pointwise_f32".
template <class Arguments>
struct Kernel {
  void (*run)(const Arguments&);
  const char* isa;
  const char* name;
};

struct Kernels {
  const char* isa;  ///< "avx512"
  int width;        ///< float32 values in a vector: what weights are packed for
  Kernel<ConvolutionF32> pointwise;
  Kernel<ConvolutionF32> convolution;
  Kernel<ConvolutionF32> linear;
  Kernel<DepthwiseF32> depthwise3_stride1;  ///< windows of 3 x 3
  Kernel<DepthwiseF32> depthwise3_stride2;
  Kernel<DepthwiseF32> depthwise5_stride1;  ///< windows of 5 x 5
  Kernel<DepthwiseF32> depthwise5_stride2;
  Kernel<DepthwiseF32> depthwise_any;
  Kernel<AddF32> add;
  Kernel<MultiplyF32> multiply;
  Kernel<ActivateF32> activate;
  Kernel<PoolF32> pool;
  Kernel<PadF32> pad;
  Kernel<SoftmaxF32> softmax;
  Probe probe;
};

namespace scalar {
const Kernels& kernels();
}
#if defined(__x86_64__)
namespace avx2 {
const Kernels& kernels();
}
namespace avx512 {
const Kernels& kernels();
}
#elif defined(__aarch64__)
namespace neon {
const Kernels& kernels();
}
#endif

}  // namespace linnet::cpu
