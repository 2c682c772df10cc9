// The float kernels of one ISA, as a table. Whoever holds a table may run it only where the CPU has that ISA.
#pragma once

#include <cstdint>

#include "cpu/kernels/convolution/convolution_f32.h"
#include "cpu/kernels/convolution/convolution_half.h"
#include "cpu/kernels/depthwise/depthwise_f32.h"
#include "cpu/kernels/elementwise/elementwise_f32.h"
#include "cpu/kernels/pad/pad_f32.h"
#include "cpu/kernels/pool/pool_f32.h"
#include "cpu/kernels/probe/probe.h"
#include "cpu/kernels/softmax/softmax_f32.h"

namespace linnet::cpu {

/// A function and its name in three parts, which `linnet bench --layers` shows as "avx512::pointwise_f32".
template <class Arguments>
struct Kernel {
  void (*run)(const Arguments&);
  const char* isa;
  const char* name;
  const char* type = "";
};

/// What every table of values T has: float, or half of one.
template <class T>
struct FloatKernels {
  Kernel<DepthwiseOf<T>> depthwise3_stride1;  ///< windows of 3 x 3
  Kernel<DepthwiseOf<T>> depthwise3_stride2;
  Kernel<DepthwiseOf<T>> depthwise5_stride1;  ///< windows of 5 x 5
  Kernel<DepthwiseOf<T>> depthwise5_stride2;
  Kernel<DepthwiseOf<T>> depthwise_any;
  Kernel<AddOf<T>> add;
  Kernel<MultiplyOf<T>> multiply;
  Kernel<ActivateOf<T>> activate;
  Kernel<PoolOf<T>> pool;
  Kernel<PadOf<T>> pad;
  Kernel<SoftmaxF32> softmax;
};

struct Kernels : FloatKernels<float> {
  const char* isa;  ///< "avx512"
  int width;        ///< float32 values in a vector: what weights are packed for
  Kernel<ConvolutionF32> pointwise;
  Kernel<ConvolutionF32> convolution;
  Kernel<ConvolutionF32> linear;
  Probe probe;
};

/// bfloat16 or float16 where values are stored, float32 where they are computed.
template <class T>
struct HalfKernels : FloatKernels<T> {
  const char* isa;
  HalfLayout layout;  ///< what weights are packed for
  Kernel<ConvolutionHalf<T>> pointwise;
  Kernel<ConvolutionHalf<T>> convolution;
  Kernel<ConvolutionHalf<T>> linear;
  Kernel<Convert<float, T>> from_float;
  Kernel<Convert<T, float>> to_float;
  /// Windows of [3 x 3, 5 x 5] by stride [1, 2] on pack_depthwise_pairs(), for kPairsChannels or more;
  /// without `run` where the ISA has no products of pairs.
  Kernel<DepthwiseOf<T>> depthwise_pairs[2][2];
};

inline constexpr int kPairsChannels = 16;

template <class T>
struct FloatTableOf {
  using Type = HalfKernels<T>;
};
template <>
struct FloatTableOf<float> {
  using Type = Kernels;
};
/// The kernels of values stored as T: float, Bf16 or Fp16.
template <class T>
using FloatTable = typename FloatTableOf<T>::Type;

namespace scalar {
const Kernels& kernels();
const HalfKernels<Bf16>& kernels_bf16();
const HalfKernels<Fp16>& kernels_fp16();
}  // namespace scalar
#if defined(__x86_64__)
namespace avx2 {
const Kernels& kernels();
const HalfKernels<Bf16>& kernels_bf16();
const HalfKernels<Fp16>& kernels_fp16();
}  // namespace avx2
namespace avx512 {
const Kernels& kernels();
const HalfKernels<Bf16>& kernels_bf16();
const HalfKernels<Fp16>& kernels_fp16();
}  // namespace avx512
namespace avx512_bf16 {
const HalfKernels<Bf16>& kernels_bf16();  ///< products of two bfloat16 by vdpbf16ps
}
namespace avx512_amx {
const HalfKernels<Bf16>& kernels_bf16();  ///< dense layers on tiles, all else AVX512_BF16's
}
#elif defined(__aarch64__)
namespace neon {
const Kernels& kernels();
const HalfKernels<Bf16>& kernels_bf16();
const HalfKernels<Fp16>& kernels_fp16();
}  // namespace neon
#endif

}  // namespace linnet::cpu
