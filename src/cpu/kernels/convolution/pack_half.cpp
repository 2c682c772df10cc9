#include "cpu/kernels/convolution/pack_half.h"

#include <algorithm>

#include "base/float_formats.h"
#include "cpu/kernels/depthwise/depthwise_f32.h"

namespace linnet::cpu {
namespace {

void round_to(Bf16& y, float x) { y.bits = bfloat16_from_float(x); }
void round_to(Fp16& y, float x) { y.bits = float16_from_float(x); }

}  // namespace

template <class T>
void round_half(std::span<const float> x, T* y) {
  for (const float value : x) round_to(*y++, value);
}

template <class T>
PackedConvolutionHalf<T> pack_convolution_half(const HalfLayout& layout, int k, int runs, int run,
                                               const float* weight, const float* bias) {
  const std::ptrdiff_t depth = static_cast<std::ptrdiff_t>(runs) * run;
  if (layout.chunk > 1) {
    run *= runs;
    runs = 1;
  }
  const int packed_run = packed_run_half(layout, run);
  const int panels = count_panels_half(layout, k);
  const HalfPanel last = panel_half(layout, k, panels - 1);
  const auto channels = static_cast<std::size_t>(last.first + last.channels(layout));
  PackedConvolutionHalf<T> packed;
  packed.bias.resize(channels);
  packed.weight.resize(channels * static_cast<std::size_t>(runs * packed_run));  // zeros behind a run
  if (bias) std::copy_n(bias, k, packed.bias.begin());
  T* y = packed.weight.data();
  for (int p = 0; p < panels; ++p) {
    const HalfPanel panel = panel_half(layout, k, p);
    for (int r = 0; r < runs; ++r)
      for (int d = 0; d < packed_run; d += layout.group)
        for (int j = 0; j < panel.channels(layout); ++j)
          for (int i = 0; i < layout.group; ++i, ++y)
            if (panel.first + j < k && d + i < run)
              round_to(*y, weight[(panel.first + j) * depth + static_cast<std::ptrdiff_t>(r) * run + d + i]);
  }
  return packed;
}

template <class T>
AlignedVector<T> pack_depthwise_pairs(int kernel, int stride, int c, const float* weight) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(kernel) * c;
  const std::ptrdiff_t form = (kernel + 1) * row;
  const bool both = has_both_forms(kernel, stride);
  AlignedVector<T> packed(static_cast<std::size_t>(both ? 2 * form : form));
  const auto put = [&](std::ptrdiff_t to, int r) {
    for (std::ptrdiff_t i = 0; i < row; ++i)
      round_to(packed[static_cast<std::size_t>(to + 2 * i)], weight[r * row + i]);
  };
  for (int r = 0; r < kernel; ++r) {
    put(r / 2 * 2 * row + r % 2, r);
    if (!both) continue;
    if (r == 0)
      put(form + kernel / 2 * 2 * row, r);
    else
      put(form + (r - 1) / 2 * 2 * row + (r - 1) % 2, r);
  }
  return packed;
}

template AlignedVector<Bf16> pack_depthwise_pairs(int, int, int, const float*);
template AlignedVector<Fp16> pack_depthwise_pairs(int, int, int, const float*);
template PackedConvolutionHalf<Bf16> pack_convolution_half(const HalfLayout&, int, int, int, const float*,
                                                           const float*);
template PackedConvolutionHalf<Fp16> pack_convolution_half(const HalfLayout&, int, int, int, const float*,
                                                           const float*);
template void round_half(std::span<const float>, Bf16*);
template void round_half(std::span<const float>, Fp16*);

}  // namespace linnet::cpu
