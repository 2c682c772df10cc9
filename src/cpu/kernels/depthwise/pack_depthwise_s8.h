// Packing of int8 depthwise weights, once, for one ISA.
#pragma once

#include "base/aligned.h"
#include "cpu/kernels/depthwise/depthwise_s8.h"
#include "cpu/kernels/kernels_s8.h"

namespace linnet::cpu {

/// What a layer holds.
struct DepthwiseWeightsS8 {
  int w;  ///< of the input
  int c;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  const std::int8_t* weight;    ///< [kernel_h, kernel_w, c]
  const std::int32_t* bias;     ///< [c], or nullptr
  const linnet_multiplier* by;  ///< [c]
  int zero_x;
  int zero_w;           ///< 0 but in imported files
  bool exact_in_float;  ///< linnet_is_exact_in_float() holds for every channel
};

/// Quads: values a channel are in the order of the blocks' lanes, whole blocks. Float: in order, [c]. Plain:
/// in order, padded to whole blocks of kDepthwisePlainBlockS8.
struct PackedDepthwiseS8 {
  enum class Form { kQuads, kColumns, kFloat, kPlain };
  Form form = Form::kPlain;
  /// Quads: [block][output row][quad][column][vector][lane][row]. Columns: [block][window
  /// row][column where the window begins][quad][lane][column]. Float: padding, then float biases [c], with
  /// the zero point of x, and weights [R, S, c]. Plain: int16 [R, S, c].
  AlignedVector<std::byte> weight;
  AlignedVector<std::int32_t> bias;  ///< empty in float; quads: [block][output row][vector][lane], columns:
                                     ///< [lane], with all zero points
  AlignedVector<float> scale;        ///< m * 2^-t; empty where m and t are not
  AlignedVector<std::int32_t> m;     ///< empty where every channel is exact in float
  AlignedVector<std::int32_t> t;

  std::size_t bytes() const {
    return weight.size() + sizeof(std::int32_t) * (bias.size() + m.size() + t.size()) +
           sizeof(float) * scale.size();
  }
  /// Sets the fields of `a` that come from here.
  void apply(DepthwiseS8& a) const {
    a.weight = weight.data();
    a.bias = bias.data();
    a.scale = scale.data();
    a.m = m.empty() ? nullptr : m.data();
    a.t = t.empty() ? nullptr : t.data();
  }
};

PackedDepthwiseS8 pack_depthwise_s8(const DepthwiseLayoutS8& layout, const DepthwiseWeightsS8& from);

/// The kernel that takes `packed`, which was packed for `kernels.depthwise_layout`.
const Kernel<DepthwiseS8>& depthwise_kernel_s8(const KernelsS8& kernels, const DepthwiseWeightsS8& from,
                                               const PackedDepthwiseS8& packed);

}  // namespace linnet::cpu
