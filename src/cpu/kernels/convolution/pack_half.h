// Weights as the kernels of 16-bit floats read them: rounded once, in panels.
#pragma once

#include <span>

#include "base/aligned.h"
#include "cpu/kernels/convolution/convolution_half.h"

namespace linnet::cpu {

template <class T>
struct PackedConvolutionHalf {
  AlignedVector<float> bias;  ///< all panels' channels, zeros behind the last
  AlignedVector<T> weight;    ///< panel by panel, group by group: [channel, value of the group]
};

/// weight: [K, R, S, C], bias: [K] or nullptr.
template <class T>
PackedConvolutionHalf<T> pack_convolution_half(const HalfLayout& layout, int k, int runs, int run,
                                               const float* weight, const float* bias);

/// Weights of a depthwise window of kernel x kernel, an odd number, in pairs of rows: [(kernel + 1) / 2,
/// kernel, c, 2]. The last row is alone, in pairs with zeros behind the others. Where two output rows share
/// their pairs (has_both_forms()), the same follows with the first row alone. weight: [kernel, kernel, c].
template <class T>
AlignedVector<T> pack_depthwise_pairs(int kernel, int stride, int c, const float* weight);

/// y[i]: the nearest number of 16 bits to x[i], ties to even.
template <class T>
void round_half(std::span<const float> x, T* y);

}  // namespace linnet::cpu
