// Packing of int8 convolution weights, once, for one ISA.
#pragma once

#include "base/aligned.h"
#include "cpu/kernels/convolution/convolution_s8.h"

namespace linnet::cpu {

/// What a layer holds.
struct ConvolutionWeightsS8 {
  int k;                        ///< output channels
  int depth;                    ///< R * S * C
  const std::int8_t* weight;    ///< [k, depth]
  const std::int32_t* bias;     ///< [k], or nullptr
  const linnet_multiplier* by;  ///< [k]
  int zero_x;
  int zero_w;           ///< 0 but in imported files
  bool exact_in_float;  ///< linnet_is_exact_in_float() holds for every channel
};

/// Values a channel are in the order of the panels' lanes, padded to whole vectors.
struct PackedConvolutionS8 {
  AlignedVector<std::byte> weight;   ///< [panel][depth / group][vector][lane][group]
  AlignedVector<std::int32_t> bias;  ///< with all that zero points and offset add and that x does not change
  AlignedVector<float> scale;        ///< m * 2^-t; empty where m and t are not
  AlignedVector<std::int32_t> m;     ///< empty where every channel is exact in float
  AlignedVector<std::int32_t> t;
  bool wide = false;  ///< a weight is -128: products of two bytes take the careful form

  std::size_t bytes() const {
    return weight.size() + sizeof(std::int32_t) * (bias.size() + m.size() + t.size()) +
           sizeof(float) * scale.size();
  }
  /// Sets the fields of `a` that come from here. zero_w is the caller's.
  void apply(ConvolutionS8& a) const {
    a.weight = weight.data();
    a.bias = bias.data();
    a.scale = scale.data();
    a.m = m.empty() ? nullptr : m.data();
    a.t = t.empty() ? nullptr : t.data();
    a.wide = wide;
  }
};

PackedConvolutionS8 pack_convolution_s8(const ConvolutionLayoutS8& layout, const ConvolutionWeightsS8& from);

}  // namespace linnet::cpu
