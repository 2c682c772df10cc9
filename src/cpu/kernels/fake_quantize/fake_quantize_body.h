// The bodies of fake quantisation, over any vector type. Internal linkage: see finish_body.h.
#pragma once

#include "cpu/kernels/fake_quantize/fake_quantize_f32.h"
#include "cpu/kernels/lanes_body.h"

namespace linnet::cpu {
namespace {

/// A grid, one lane as the other.
template <class V>
struct GridLanes {
  explicit GridLanes(const GridF32& g)
      : inverse_scale(V::set(g.inverse_scale)), low(V::set(g.low)), high(V::set(g.high)) {}
  V inverse_scale, low, high;

  V steps(V x) const { return x * inverse_scale; }
  /// The nearest whole number on the grid: adding 1.5 * 2^23 leaves no bits below one. Limits come first,
  /// which changes nothing, as they are whole, and keeps the product out of an fma.
  V nearest(V steps) const {
    const V limited = min(high, max(low, steps));  // in this order what is not a number stays so
    return (limited + V::set(12582912.0f)) + V::set(-12582912.0f);
  }
};

/// One row.
template <class V>
struct FakeQuantizeBody {
  const GridLanes<V>& grid;
  V scale;
  const float* x;
  float* y;

  template <int kVectors, bool kPartial>
  void run(int channel, int n) const {
    const Lanes<V, kPartial> lanes = {n};
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      const int i = channel + j * V::kWidth;
      lanes.store(grid.nearest(grid.steps(lanes.load(x + i))) * scale, y + i);
    }
  }
};

template <class V>
void fake_quantize_f32(const FakeQuantizeF32& a) {
  const GridLanes<V> grid(a.grid);
  for (std::ptrdiff_t p = 0; p < a.pixels; ++p)
    for_each_channel_group<V, 4>(
        a.c, FakeQuantizeBody<V>{grid, V::set(a.grid.scale), a.x + p * a.x_pixel, a.y + p * a.y_pixel});
}

template <class V>
void fake_quantize_gradient_f32(FakeQuantizeGradientF32& a) {
  const GridLanes<V> grid(a.grid);
  // Just above a half: halves are rounded, not clipped.
  const V most = V::set(0.50000006f), least = V::set(-0.50000006f);
  V inside = V::zero(), clipped = V::zero();
  const auto run = [&](auto lanes, std::ptrdiff_t i) __attribute__((always_inline)) {
    const V steps = grid.steps(lanes.load(a.x + i));
    const V q = grid.nearest(steps);
    const V apart = fma(steps, V::set(-1.0f), q);
    const V d = lanes.load(a.d + i);
    const V kept = keep_between(d, apart, least, most);
    lanes.store(kept, a.d + i);
    inside = fma(kept, apart, inside);
    clipped = fma(fma(kept, V::set(-1.0f), d), q, clipped);
  };
  std::ptrdiff_t i = 0;
  for (; i + V::kWidth <= a.n; i += V::kWidth) run(Lanes<V, false>{V::kWidth}, i);
  if constexpr (V::kWidth > 1) {
    if (i < a.n) run(Lanes<V, true>{static_cast<int>(a.n - i)}, i);
  }
  float sums[2][V::kWidth];
  inside.store(sums[0]);
  clipped.store(sums[1]);
  a.inside = a.clipped = 0;
  for (int lane = 0; lane < V::kWidth; ++lane) {
    a.inside += sums[0][lane];
    a.clipped += sums[1][lane];
  }
}

}  // namespace
}  // namespace linnet::cpu
