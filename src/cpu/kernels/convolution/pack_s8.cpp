#include "cpu/kernels/convolution/pack_s8.h"

#include <cmath>
#include <cstring>

namespace linnet::cpu {
namespace {

/// The channel, counted from the panel's first, that lane `lane` of vector `vector` holds.
int channel_of(int lanes, const PanelS8& panel, int vector, int lane) {
  if (lanes < 4 || panel.narrow) return vector * lanes + lane;
  return 4 * panel.vectors * (lane / 4) + 4 * vector + lane % 4;
}

/// The bias with all that is the same for every x: see numerics/int8.h for the two foldings. Sums wrap, as
/// the accumulators do; the result does not, or the layer's bound is wrong.
std::int32_t folded_bias(const ConvolutionWeightsS8& from, int offset, std::size_t channel) {
  const auto depth = static_cast<std::size_t>(from.depth);
  std::uint32_t sum = 0;
  for (std::size_t d = 0; d < depth; ++d) sum += static_cast<std::uint32_t>(from.weight[channel * depth + d]);
  // Gathered x is x + offset, so its zero point is zero_x + offset.
  const auto zero_x = static_cast<std::uint32_t>(from.zero_x + offset);
  const auto zero_w = static_cast<std::uint32_t>(from.zero_w);
  const auto bias = static_cast<std::uint32_t>(from.bias ? from.bias[channel] : 0);
  return static_cast<std::int32_t>(bias - zero_x * sum +
                                   static_cast<std::uint32_t>(from.depth) * zero_x * zero_w);
}

}  // namespace

PackedConvolutionS8 pack_convolution_s8(const ConvolutionLayoutS8& layout, const ConvolutionWeightsS8& from) {
  const auto lanes = static_cast<std::size_t>(count_vectors_s8(layout, from.k) * layout.lanes);
  const int depth = padded_depth_s8(layout, from.depth);
  PackedConvolutionS8 packed;
  packed.weight.resize(lanes * static_cast<std::size_t>(depth * layout.bytes));
  packed.bias.resize(lanes);
  if (from.exact_in_float) {
    packed.scale.resize(lanes);
  } else {
    packed.m.resize(lanes);
    packed.t.resize(lanes, LINNET_T_MIN);
  }

  std::size_t at = 0;  // the lane, over all panels
  for (int p = 0; p < count_panels_s8(layout, from.k); ++p) {
    const PanelS8 panel = panel_s8(layout, from.k, p);
    std::byte* const weight = packed.weight.data() + at * static_cast<std::size_t>(depth * layout.bytes);
    for (int v = 0; v < panel.vectors; ++v)
      for (int lane = 0; lane < layout.lanes; ++lane, ++at) {
        const int channel = panel.first * layout.lanes + channel_of(layout.lanes, panel, v, lane);
        if (channel >= from.k) continue;
        const auto c = static_cast<std::size_t>(channel);
        packed.bias[at] = folded_bias(from, layout.offset, c);
        if (from.exact_in_float) {
          packed.scale[at] = std::ldexp(static_cast<float>(from.by[c].m), -from.by[c].t);
        } else {
          packed.m[at] = from.by[c].m;
          packed.t[at] = from.by[c].t;
        }
        for (int d = 0; d < from.depth; ++d) {
          const std::int8_t value =
              from.weight[c * static_cast<std::size_t>(from.depth) + static_cast<std::size_t>(d)];
          packed.wide = packed.wide || value == LINNET_INT8_MIN;
          const int in_group = d % layout.group;
          const int half = layout.group / 2;
          const int in_vector = layout.halves
                                    ? (in_group / half) * layout.lanes * half + lane * half + in_group % half
                                    : lane * layout.group + in_group;
          const int place =
              ((d / layout.group) * panel.vectors + v) * layout.lanes * layout.group + in_vector;
          if (layout.bytes == 1) {
            weight[place] = static_cast<std::byte>(value);
          } else {
            const std::int16_t twice = value;
            std::memcpy(weight + 2 * place, &twice, sizeof twice);
          }
        }
      }
  }
  return packed;
}

}  // namespace linnet::cpu
