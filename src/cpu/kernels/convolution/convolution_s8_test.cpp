// Every ISA's int8 convolution against a naive loop over numerics/int8.h: equality, for every shape.
#include "cpu/kernels/convolution/convolution_s8.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/convolution/pack_s8.h"
#include "cpu/kernels/guarded.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

int in(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<int>(
      low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1))));
}
template <class T, std::size_t kCount>
T one_of(Random& random, const T (&values)[kCount]) {
  return values[random.below(kCount)];
}

/// A layer and its input, all drawn from a seed.
struct Case {
  std::uint64_t seed;
  int runs, run, gap, stride, pixels, k;
  int zero_x, zero_w;
  bool in_float, has_bias, in_place;
  linnet_output to;
  ResidualS8 residual = {};
  std::vector<std::int8_t> x, weight, other, table;
  std::vector<std::int32_t> bias;
  std::vector<linnet_multiplier> by;

  int depth() const { return runs * run; }
  std::size_t x_run() const { return static_cast<std::size_t>((pixels - 1) * stride + run + gap); }
  std::string text() const {
    return fmt::format(
        "seed {}: {} x {} values a pixel, stride {}, {} pixels, {} channels, zero points {} and {}, {}{}{}",
        seed, runs, run, stride, pixels, k, zero_x, zero_w, in_float ? "in float" : "64-bit",
        residual.x ? ", residual" : "", table.empty() ? "" : ", table");
  }
};

std::int8_t draw(Random& random, int fill, int least) {
  if (fill == 1) return static_cast<std::int8_t>(least);
  if (fill == 2) return 127;
  if (fill == 3) return static_cast<std::int8_t>(random.below(2) ? 127 : least);
  return static_cast<std::int8_t>(in(random, least, 127));
}

linnet_output draw_output(Random& random) {
  const int lo = in(random, -128, 100);
  if (random.below(2)) return {in(random, -128, 127), -128, 127};
  return {random.below(2) ? lo : in(random, -128, 127), lo, in(random, lo, 127)};
}

Case draw_case(std::uint64_t seed) {
  Random random(seed);
  constexpr int kChannels[] = {1,  2,  3,  5,  7,  8,  9,  15, 16, 17,  24, 31,
                               32, 33, 40, 48, 63, 64, 65, 72, 96, 100, 130};
  constexpr int kDepths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 63, 64, 65, 72, 100, 300};
  constexpr int kPixels[] = {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 25, 49, 50};
  Case c;
  c.seed = seed;
  c.k = one_of(random, kChannels);
  c.pixels = one_of(random, kPixels);
  if (random.below(20) == 0) c.pixels = in(random, 300, 2000);
  const bool window = random.below(3) == 0;
  c.runs = window ? in(random, 1, 5) : 1;
  c.run = window ? in(random, 1, 5) * in(random, 1, 24) : one_of(random, kDepths);
  c.stride = window ? in(random, 1, c.run + 2) : random.below(4) ? c.run : c.run + in(random, 1, 9);
  if (random.below(12) == 0) {  // a stem
    c.runs = 3;
    c.run = 9;
    c.stride = 6;
  }
  c.gap = in(random, 0, 3);
  c.zero_x = random.below(3) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
  c.zero_w = random.below(5) ? 0 : random.below(3) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
  c.has_bias = random.below(4) != 0;
  c.to = draw_output(random);
  const int fill_x = in(random, 0, 5), fill_w = in(random, 0, 5);
  const int least_w = c.zero_w || random.below(8) == 0 ? -128 : LINNET_WEIGHT_MIN;
  c.x.resize(c.x_run() * static_cast<std::size_t>(c.runs - 1) +
             static_cast<std::size_t>((c.pixels - 1) * c.stride + c.run));
  for (std::int8_t& v : c.x) v = draw(random, fill_x, -128);
  c.weight.resize(static_cast<std::size_t>(c.k * c.depth()));
  for (std::int8_t& v : c.weight) v = draw(random, fill_w, least_w);
  c.bias.resize(static_cast<std::size_t>(c.k));
  c.by.resize(c.bias.size());
  c.in_float = random.below(4) != 0;
  for (std::size_t i = 0; i < c.by.size(); ++i) {
    c.bias[i] = c.has_bias ? in(random, -200'000, 200'000) : 0;
    std::int64_t bound = std::abs(c.bias[i]);
    for (int d = 0; d < c.depth(); ++d)
      bound +=
          255 * std::abs(c.weight[i * static_cast<std::size_t>(c.depth()) + static_cast<std::size_t>(d)] -
                         c.zero_w);
    // Factors that spread the channel over int8, and now and then far beyond it.
    const double factor = std::ldexp(1 + random.unit(), in(random, 4, 11)) / static_cast<double>(bound + 1);
    int exponent = 0;
    const double fraction = std::frexp(factor, &exponent);
    c.by[i] = {static_cast<std::int32_t>(std::ldexp(fraction, 24)) | 1, 24 - exponent};
    if (random.below(32) == 0) c.by[i] = {0, 1};
    if (c.in_float && !linnet_is_exact_in_float(bound, c.by[i])) {
      c.by[i].t = std::min(+LINNET_T_MAX, c.by[i].t + 10);
      if (!linnet_is_exact_in_float(bound, c.by[i])) c.by[i] = {0, 1};
      c.in_float = c.in_float && linnet_is_exact_in_float(bound, c.by[i]);
    }
  }
  const auto outputs = static_cast<std::size_t>(c.pixels * c.k);
  if (random.below(3) == 0) {
    c.other.resize(outputs);
    for (std::int8_t& v : c.other) v = static_cast<std::int8_t>(random.next());
    c.residual = {c.other.data(),
                  random.below(2) == 0,
                  in(random, -128, 127),
                  in(random, -128, 127),
                  {in(random, 0, LINNET_ADD_M_MAX), in(random, 0, LINNET_ADD_M_MAX), in(random, 13, 20)},
                  draw_output(random)};
  }
  c.in_place = random.below(2) == 0;
  if (random.below(4) == 0) {
    c.table.resize(256);
    for (std::int8_t& v : c.table) v = static_cast<std::int8_t>(random.next());
  }
  return c;
}

std::vector<std::int8_t> naive(const Case& c) {
  std::vector<std::int8_t> y(static_cast<std::size_t>(c.pixels * c.k));
  for (int i = 0; i < c.pixels; ++i)
    for (int k = 0; k < c.k; ++k) {
      std::int32_t acc = c.bias[static_cast<std::size_t>(k)];
      for (int r = 0; r < c.runs; ++r)
        for (int d = 0; d < c.run; ++d)
          acc += (c.x[static_cast<std::size_t>(r) * c.x_run() + static_cast<std::size_t>(i * c.stride + d)] -
                  c.zero_x) *
                 (c.weight[static_cast<std::size_t>(k * c.depth() + r * c.run + d)] - c.zero_w);
      std::int8_t v = linnet_requantize(acc, c.by[static_cast<std::size_t>(k)], c.to);
      const auto at = static_cast<std::size_t>(i * c.k + k);
      const ResidualS8& r = c.residual;
      if (r.x)
        v = r.is_a ? linnet_add(r.x[at], r.zero_a, v, r.zero_b, r.by, r.to)
                   : linnet_add(v, r.zero_a, r.x[at], r.zero_b, r.by, r.to);
      y[at] = c.table.empty() ? v : linnet_lookup(c.table.data(), v);
    }
  return y;
}

template <class T, class Values>
void fill(Guarded<T>& to, const Values& from) {
  std::copy(from.begin(), from.end(), to.data());
}

/// Runs a case on an ISA, its panels in two calls, all memory guarded.
void check(const Case& c, Isa isa) {
  const KernelsS8& kernels = kernels_s8(isa);
  PackedConvolutionS8 packed =
      pack_convolution_s8(kernels.layout, {.k = c.k,
                                           .depth = c.depth(),
                                           .weight = c.weight.data(),
                                           .bias = c.has_bias ? c.bias.data() : nullptr,
                                           .by = c.by.data(),
                                           .zero_x = c.zero_x,
                                           .zero_w = c.zero_w,
                                           .exact_in_float = c.in_float});
  Guarded<std::int8_t> x(c.x.size()), y(static_cast<std::size_t>(c.pixels * c.k)), other(c.other.size());
  Guarded<std::byte> weight(packed.weight.size()),
      scratch(convolution_scratch_s8(kernels.layout, c.runs, c.depth(), c.pixels));
  fill(x, c.x);
  fill(weight, packed.weight);
  fill(other, c.other);
  std::fill_n(y.data(), y.size(), std::int8_t{55});
  ConvolutionS8 a = {};
  a.x = x.data();
  a.x_pixel = c.stride;
  a.x_run = static_cast<std::ptrdiff_t>(c.x_run());
  a.runs = c.runs;
  a.run = c.run;
  a.x_is_unsigned = kernels.layout.reads_unsigned && c.runs == 1 && c.stride == c.run && c.zero_w == 0 &&
                    c.run % kernels.layout.group == 0 && c.seed % 2;
  if (a.x_is_unsigned)
    std::transform(x.data(), x.data() + x.size(), x.data(), [](std::int8_t v) { return v ^ -128; });
  packed.apply(a);
  a.weight = weight.data();
  a.zero_w = c.zero_w;
  a.to = c.to;
  a.residual = c.residual;
  if (c.residual.x) {
    a.residual.x = other.data();
    if (c.in_place) {
      fill(y, c.other);
      a.residual.x = y.data();
    }
  }
  a.table = c.table.empty() ? nullptr : c.table.data();
  a.y = y.data();
  a.pixels = c.pixels;
  a.k = c.k;
  a.scratch = scratch.data();
  const int panels = count_panels_s8(kernels.layout, c.k);
  const int middle = static_cast<int>(c.seed % static_cast<std::uint64_t>(panels + 1));
  for (const auto& [begin, end] : {std::pair{middle, panels}, std::pair{0, middle}}) {
    a.panel_begin = begin;
    a.panel_end = end;
    kernels.convolution.run(a);
  }
  const std::vector<std::int8_t> expected = naive(c);
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(y[i], expected[i]) << kernels.isa << ", " << c.text() << ": pixel "
                                 << i / static_cast<std::size_t>(c.k) << ", channel "
                                 << i % static_cast<std::size_t>(c.k);
  ASSERT_TRUE(y.intact()) << kernels.isa << " wrote before y, " << c.text();
  ASSERT_TRUE(scratch.intact()) << kernels.isa << " wrote before its scratch, " << c.text();
}

TEST(convolution_s8, equals_the_definition_on_every_isa_for_any_shape) {
  const int cases = testing::cases(800, 20'000);
  for (int seed = 1; seed <= cases; ++seed) {
    const Case c = draw_case(static_cast<std::uint64_t>(seed));
    for (const Isa isa : available_isas()) {
      check(c, isa);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
