#include "cpu/kernels/depthwise/pack_depthwise_s8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace linnet::cpu {
namespace {

/// One layer's packing: from a channel to where its values go.
class Packer {
 public:
  Packer(const DepthwiseLayoutS8& layout, const DepthwiseWeightsS8& from) : layout_(layout), from_(from) {}

  PackedDepthwiseS8 quads() {
    rows_ = rows_of_quads_s8(from_.kernel_w, from_.stride_w);
    quads_ = quads_of_window_s8(from_.kernel_w, from_.stride_w);
    packed_.form = PackedDepthwiseS8::Form::kQuads;
    const int blocks = count_depthwise_blocks_s8(layout_, from_.c);
    std::size_t lanes = 0;
    for (int b = 0; b < blocks; ++b)
      lanes += static_cast<std::size_t>(4 * depthwise_block_s8(layout_, from_.c, b).lanes);
    packed_.weight.resize(lanes * 4 * static_cast<std::size_t>(rows_ * quads_ * from_.kernel_w));
    packed_.bias.resize(lanes * static_cast<std::size_t>(rows_));
    resize_scales(lanes, layout_.lanes > 1);
    std::size_t at = 0;  // the lane, over all blocks
    for (int b = 0; b < blocks; ++b) {
      const DepthwiseBlockS8 block = depthwise_block_s8(layout_, from_.c, b);
      for (int v = 0; v < 4; ++v)
        for (int lane = 0; lane < block.lanes; ++lane) {
          const int channel = block.first + depthwise_channel_s8(v, lane);
          if (channel >= from_.c) continue;
          set_scale(at + static_cast<std::size_t>(v * block.lanes + lane), channel);
          for (int row = 0; row < rows_; ++row) pack_row(block, at, row, v, lane, channel);
        }
      at += static_cast<std::size_t>(4 * block.lanes);
    }
    return std::move(packed_);
  }

  PackedDepthwiseS8 columns() {
    packed_.form = PackedDepthwiseS8::Form::kColumns;
    const int kernel = from_.kernel_w, stride = from_.stride_w;
    const int blocks = count_column_blocks_s8(layout_, from_.c);
    const auto weights = static_cast<std::size_t>(column_weights_s8(kernel, stride));
    const auto lanes = static_cast<std::size_t>(first_column_lane_s8(layout_, from_.c, blocks - 1) +
                                                column_block_s8(layout_, from_.c, blocks - 1).lanes);
    packed_.weight.resize(lanes * 4 * weights);
    packed_.bias.resize(lanes);
    resize_scales(lanes, true);
    for (int b = 0; b < blocks; ++b) {
      const DepthwiseBlockS8 block = column_block_s8(layout_, from_.c, b);
      const auto at = static_cast<std::size_t>(first_column_lane_s8(layout_, from_.c, b));
      for (int lane = 0; lane < block.lanes; ++lane)
        pack_columns(column_channel_s8(layout_, from_.c, b, lane), at + static_cast<std::size_t>(lane),
                     packed_.weight.data() + at * 4 * weights + 4 * lane, 4 * block.lanes);
    }
    return std::move(packed_);
  }

  PackedDepthwiseS8 in_float() {
    packed_.form = PackedDepthwiseS8::Form::kFloat;
    const auto c = static_cast<std::size_t>(from_.c);
    const auto taps = static_cast<std::size_t>(from_.kernel_h * from_.kernel_w);
    packed_.weight.assign(kDepthwisePaddingS8 + (1 + taps) * c * sizeof(float), std::byte(from_.zero_x));
    packed_.scale.resize(c);
    const auto put = [&](std::size_t row, std::size_t channel, std::int32_t value) {
      const auto v = static_cast<float>(value);
      std::memcpy(packed_.weight.data() + kDepthwisePaddingS8 + (row * c + channel) * sizeof v, &v, sizeof v);
    };
    for (std::size_t channel = 0; channel < c; ++channel) {
      const std::int32_t bias = from_.bias ? from_.bias[channel] : 0;
      std::int32_t sum = 0;
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const std::int32_t w = from_.weight[tap * c + channel] - from_.zero_w;
        sum += w;
        put(1 + tap, channel, w);
      }
      put(0, channel, linnet_fold_zero_point(bias, from_.zero_x, sum));
      set_scale(channel, static_cast<int>(channel));
    }
    return std::move(packed_);
  }

  PackedDepthwiseS8 plain() {
    const int padded =
        (from_.c + kDepthwisePlainBlockS8 - 1) / kDepthwisePlainBlockS8 * kDepthwisePlainBlockS8;
    const auto lanes = static_cast<std::size_t>(padded);
    const int taps = from_.kernel_h * from_.kernel_w;
    packed_.weight.resize(lanes * 2 * static_cast<std::size_t>(taps));
    packed_.bias.resize(lanes);
    resize_scales(lanes, layout_.lanes > 1);
    for (int channel = 0; channel < from_.c; ++channel) {
      const auto at = static_cast<std::size_t>(channel);
      packed_.bias[at] = from_.bias ? from_.bias[channel] : 0;
      set_scale(at, channel);
      for (int tap = 0; tap < taps; ++tap) {
        const auto w = static_cast<std::int16_t>(from_.weight[tap * from_.c + channel] - from_.zero_w);
        std::memcpy(packed_.weight.data() + 2 * (static_cast<std::size_t>(tap) * lanes + at), &w, sizeof w);
      }
    }
    return std::move(packed_);
  }

 private:
  /// Plain C++ has no fused multiply-add in registers: the 64-bit form is the fast one there.
  void resize_scales(std::size_t lanes, bool has_float) {
    if (from_.exact_in_float && has_float) return packed_.scale.resize(lanes);
    packed_.m.resize(lanes);
    packed_.t.resize(lanes, LINNET_T_MIN);
  }
  void set_scale(std::size_t at, int channel) {
    const linnet_multiplier by = from_.by[channel];
    if (packed_.m.empty()) {
      packed_.scale[at] = std::ldexp(static_cast<float>(by.m), -by.t);
    } else {
      packed_.m[at] = by.m;
      packed_.t[at] = by.t;
    }
  }

  /// One channel: what a lane has goes to `at`, its weights to `weight` and every `vector_bytes` behind it.
  void pack_columns(int channel, std::size_t at, std::byte* weight, int vector_bytes) {
    const int kernel = from_.kernel_w;
    set_scale(at, channel);
    const auto w = [&](int r, int s) { return from_.weight[(r * kernel + s) * from_.c + channel]; };
    // Sums wrap, as the accumulators do; the result does not, or the layer's bound is wrong.
    auto bias = static_cast<std::uint32_t>(from_.bias ? from_.bias[channel] : 0);
    for (int r = 0; r < kernel; ++r) {
      for (int s = 0; s < kernel; ++s)
        bias -= static_cast<std::uint32_t>((from_.zero_x + layout_.offset_even) * w(r, s));
      for (int start = 0; start < 4; start += from_.stride_w)
        for (int quad = 0; quad < column_quads_s8(kernel); ++quad, weight += vector_bytes)
          for (int byte = 0; byte < 4; ++byte) {
            const int tap = column_tap_s8(kernel, start, quad, byte);
            weight[byte] = tap < 0 || tap >= kernel ? std::byte{0} : static_cast<std::byte>(w(r, tap));
          }
    }
    packed_.bias[at] = static_cast<std::int32_t>(bias);
  }

  /// Weights and bias of one channel for output row `row` of those that share the quads.
  void pack_row(const DepthwiseBlockS8& block, std::size_t at, int row, int v, int lane, int channel) {
    const int kernel = from_.kernel_w;
    std::byte* const weight =
        packed_.weight.data() + at * 4 * static_cast<std::size_t>(rows_ * quads_ * kernel);
    // Sums wrap, as the accumulators do; the result does not, or the layer's bound is wrong.
    auto bias = static_cast<std::uint32_t>(from_.bias ? from_.bias[channel] : 0);
    for (int q = 0; q < quads_; ++q)
      for (int s = 0; s < kernel; ++s) {
        std::int8_t w[4];
        for (int i = 0; i < 4; ++i) {
          const int r = 4 * q + i - row * from_.stride_w;
          w[i] = r < 0 || r >= kernel ? std::int8_t{0} : from_.weight[(r * kernel + s) * from_.c + channel];
          const int zero = from_.zero_x + (i % 2 ? layout_.offset_odd : layout_.offset_even);
          bias -= static_cast<std::uint32_t>(zero * w[i]);
        }
        const int vector = ((row * quads_ + q) * kernel + s) * 4 + v;
        put(w, weight + static_cast<std::size_t>(4 * vector * block.lanes), lane, block.lanes);
      }
    packed_.bias[at * static_cast<std::size_t>(rows_) +
                 static_cast<std::size_t>((row * 4 + v) * block.lanes + lane)] =
        static_cast<std::int32_t>(bias);
  }

  /// The four weights of a lane to their vector.
  void put(const std::int8_t (&w)[4], std::byte* vector, int lane, int lanes) const {
    switch (layout_.form) {
      case QuadForm::kNone: break;
      case QuadForm::kBytes: std::memcpy(vector + 4 * lane, w, 4); break;
      case QuadForm::kHalves:
        std::memcpy(vector + 2 * lane, w, 2);
        std::memcpy(vector + 2 * lanes + 2 * lane, w + 2, 2);
        break;
    }
  }

  const DepthwiseLayoutS8& layout_;
  const DepthwiseWeightsS8& from_;
  PackedDepthwiseS8 packed_;
  int rows_ = 1;
  int quads_ = 1;
};

}  // namespace

PackedDepthwiseS8 pack_depthwise_s8(const DepthwiseLayoutS8& layout, const DepthwiseWeightsS8& from) {
  Packer packer(layout, from);
  if (!is_depthwise_square_s8(from.kernel_h, from.kernel_w, from.stride_h, from.stride_w))
    return packer.plain();
  if (from.exact_in_float && from.c >= layout.narrow_lanes && from.c <= layout.float_channels)
    return packer.in_float();
  const std::int8_t* const end = from.weight + from.kernel_h * from.kernel_w * from.c;
  if (layout.form == QuadForm::kNone || from.zero_w || std::find(from.weight, end, LINNET_INT8_MIN) != end)
    return packer.plain();
  const bool columns = prefers_columns_s8(layout, from.w, from.c, from.stride_w);
  return columns ? packer.columns() : packer.quads();
}

const Kernel<DepthwiseS8>& depthwise_kernel_s8(const KernelsS8& kernels, const DepthwiseWeightsS8& from,
                                               const PackedDepthwiseS8& packed) {
  if (packed.form == PackedDepthwiseS8::Form::kPlain) return kernels.depthwise_any;
  using Form = PackedDepthwiseS8::Form;
  const DepthwiseSquaresS8& squares = packed.form == Form::kQuads     ? kernels.depthwise_quads
                                      : packed.form == Form::kColumns ? kernels.depthwise_columns
                                      : from.c < kernels.depthwise_layout.lanes
                                          ? kernels.depthwise_float_narrow
                                          : kernels.depthwise_float;
  if (from.kernel_w == 3) return from.stride_w == 1 ? squares.of3_stride1 : squares.of3_stride2;
  return from.stride_w == 1 ? squares.of5_stride1 : squares.of5_stride2;
}

}  // namespace linnet::cpu
