// Every ISA's int8 depthwise kernels against a naive loop over numerics/int8.h: equality, for every shape,
// whole images and rings of rows.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/depthwise/pack_depthwise_s8.h"
#include "cpu/kernels/guarded.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

int in(Random& random, std::int64_t low, std::int64_t high) {
  return static_cast<int>(
      low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1))));
}

/// A layer and its input, all drawn from a seed.
struct Case {
  std::uint64_t seed;
  int h, w, c, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, ho, wo;
  int zero_x, zero_w;
  bool in_float, has_bias;
  linnet_output to;
  std::vector<std::int8_t> x, weight, table;
  std::vector<std::int32_t> bias;
  std::vector<linnet_multiplier> by;

  std::size_t row() const { return static_cast<std::size_t>(w * c); }
  DepthwiseWeightsS8 weights() const {
    return {.w = w,
            .c = c,
            .kernel_h = kernel_h,
            .kernel_w = kernel_w,
            .stride_h = stride_h,
            .stride_w = stride_w,
            .weight = weight.data(),
            .bias = has_bias ? bias.data() : nullptr,
            .by = by.data(),
            .zero_x = zero_x,
            .zero_w = zero_w,
            .exact_in_float = in_float};
  }
  std::string text() const {
    return fmt::format(
        "seed {}: {} x {} x {}, window {} x {}, stride {} x {}, padding {} and {}, to {} x {}, zero points "
        "{} and "
        "{}, {}{}",
        seed, h, w, c, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, ho, wo, zero_x, zero_w,
        in_float ? "in float" : "64-bit", table.empty() ? "" : ", table");
  }
};

std::int8_t draw(Random& random, int fill, int least) {
  if (fill == 1) return static_cast<std::int8_t>(least);
  if (fill == 2) return 127;
  if (fill == 3) return static_cast<std::int8_t>(random.below(2) ? 127 : least);
  return static_cast<std::int8_t>(in(random, least, 127));
}

Case draw_case(std::uint64_t seed) {
  Random random(seed);
  constexpr int kChannels[] = {1,  2,  3,  5,  7,  8,  9,  15, 16,  17,  24,  31,  32, 33,
                               40, 48, 63, 64, 65, 72, 96, 97, 100, 130, 144, 160, 200};
  Case c;
  c.seed = seed;
  c.c = kChannels[random.below(std::size(kChannels))];
  if (random.below(5)) {
    c.kernel_h = c.kernel_w = random.below(2) ? 3 : 5;
    c.stride_h = c.stride_w = in(random, 1, 2);
  } else {
    c.kernel_h = in(random, 1, 7);
    c.kernel_w = in(random, 1, 7);
    c.stride_h = in(random, 1, 3);
    c.stride_w = in(random, 1, 3);
  }
  c.pad_top = in(random, 0, c.kernel_h);
  c.pad_left = in(random, 0, c.kernel_w);
  c.ho = in(random, 1, 9);
  c.wo = random.below(8) == 0 ? in(random, 20, 140) : in(random, 1, 16);
  // Padding below and on the right: what is left, from more than a window to input that nothing reads.
  c.h = std::max(1, (c.ho - 1) * c.stride_h + c.kernel_h - c.pad_top - in(random, -2, c.kernel_h));
  c.w = std::max(1, (c.wo - 1) * c.stride_w + c.kernel_w - c.pad_left - in(random, -2, c.kernel_w));
  c.zero_x = random.below(3) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
  c.zero_w = random.below(8) ? 0 : random.below(3) ? in(random, -128, 127) : random.below(2) ? -128 : 127;
  c.has_bias = random.below(4) != 0;
  const int lo = in(random, -128, 100);
  c.to = random.below(2) ? linnet_output{in(random, -128, 127), -128, 127}
                         : linnet_output{in(random, -128, 127), lo, in(random, lo, 127)};
  const int fill_x = in(random, 0, 5), fill_w = in(random, 0, 5);
  const int least_w = c.zero_w || random.below(8) == 0 ? -128 : LINNET_WEIGHT_MIN;
  c.x.resize(static_cast<std::size_t>(c.h) * c.row());
  for (std::int8_t& v : c.x) v = draw(random, fill_x, -128);
  const int taps = c.kernel_h * c.kernel_w;
  c.weight.resize(static_cast<std::size_t>(taps * c.c));
  for (std::int8_t& v : c.weight) v = draw(random, fill_w, least_w);
  c.bias.resize(static_cast<std::size_t>(c.c));
  c.by.resize(c.bias.size());
  c.in_float = random.below(4) != 0;
  for (std::size_t i = 0; i < c.by.size(); ++i) {
    c.bias[i] = c.has_bias ? in(random, -200'000, 200'000) : 0;
    std::int64_t bound = std::abs(c.bias[i]);
    for (int tap = 0; tap < taps; ++tap)
      bound += 255 * std::abs(c.weight[static_cast<std::size_t>(tap * c.c) + i] - c.zero_w);
    // Factors that spread the channel over int8, and now and then far beyond it.
    const double factor = std::ldexp(1 + random.unit(), in(random, 4, 11)) / static_cast<double>(bound + 1);
    int exponent = 0;
    const double fraction = std::frexp(factor, &exponent);
    c.by[i] = {static_cast<std::int32_t>(std::ldexp(fraction, 24)) | 1, 24 - exponent};
    if (random.below(32) == 0 || (c.in_float && !linnet_is_exact_in_float(bound, c.by[i]))) c.by[i] = {0, 1};
    c.in_float = c.in_float && linnet_is_exact_in_float(bound, c.by[i]);
  }
  if (random.below(4) == 0) {
    c.table.resize(256);
    for (std::int8_t& v : c.table) v = static_cast<std::int8_t>(random.next());
  }
  return c;
}

std::vector<std::int8_t> naive(const Case& c) {
  std::vector<std::int8_t> y;
  for (int ho = 0; ho < c.ho; ++ho)
    for (int wo = 0; wo < c.wo; ++wo)
      for (int i = 0; i < c.c; ++i) {
        std::int32_t acc = c.bias[static_cast<std::size_t>(i)];
        for (int r = 0; r < c.kernel_h; ++r)
          for (int s = 0; s < c.kernel_w; ++s) {
            const int h = ho * c.stride_h - c.pad_top + r, w = wo * c.stride_w - c.pad_left + s;
            if (h < 0 || h >= c.h || w < 0 || w >= c.w) continue;
            acc += (c.x[static_cast<std::size_t>((h * c.w + w) * c.c + i)] - c.zero_x) *
                   (c.weight[static_cast<std::size_t>((r * c.kernel_w + s) * c.c + i)] - c.zero_w);
          }
        const std::int8_t v = linnet_requantize(acc, c.by[static_cast<std::size_t>(i)], c.to);
        y.push_back(c.table.empty() ? v : linnet_lookup(c.table.data(), v));
      }
  return y;
}

/// Runs a case on an ISA a few rows at a time, out of a ring that holds just the rows in use, all memory
/// guarded.
void check(const Case& c, Isa isa) {
  const KernelsS8& kernels = kernels_s8(isa);
  const DepthwiseWeightsS8 from = c.weights();
  const PackedDepthwiseS8 packed = pack_depthwise_s8(kernels.depthwise_layout, from);
  Random random(c.seed);
  const int step = random.below(3) ? in(random, 1, c.ho) : c.ho;
  const int ring = random.below(3) ? std::min(c.h, (step - 1) * c.stride_h + c.kernel_h) : c.h;
  Guarded<std::int8_t> x(static_cast<std::size_t>(ring) * c.row());
  Guarded<std::byte> weight(packed.weight.size());
  std::copy(packed.weight.begin(), packed.weight.end(), weight.data());
  const std::vector<std::int8_t> expected = naive(c);
  DepthwiseS8 a = {};
  a.x = x.data();
  a.ring = ring * c.w;
  a.h = c.h;
  a.w = c.w;
  a.c = c.c;
  a.zero_x = c.zero_x;
  packed.apply(a);
  a.weight = weight.data();
  a.kernel_h = c.kernel_h;
  a.kernel_w = c.kernel_w;
  a.stride_h = c.stride_h;
  a.stride_w = c.stride_w;
  a.pad_top = c.pad_top;
  a.pad_left = c.pad_left;
  a.wo = c.wo;
  a.to = c.to;
  a.table = c.table.empty() ? nullptr : c.table.data();
  using Form = PackedDepthwiseS8::Form;
  a.y_is_unsigned = kernels.stores_unsigned &&
                    (packed.form == Form::kQuads || packed.form == Form::kColumns) && random.below(2);
  for (int begin = 0; begin < c.ho; begin += step) {
    a.row_begin = begin;
    a.row_end = std::min(begin + step, c.ho);
    const int first = std::max(0, begin * c.stride_h - c.pad_top);
    const int last = std::min(c.h, (a.row_end - 1) * c.stride_h - c.pad_top + c.kernel_h);
    for (int row = first; row < last; ++row)
      std::copy_n(c.x.data() + static_cast<std::size_t>(row) * c.row(), c.row(),
                  x.data() + static_cast<std::size_t>(row % ring) * c.row());
    const auto row_size = static_cast<std::size_t>(c.wo * c.c);
    Guarded<std::int8_t> y(static_cast<std::size_t>(a.row_end - begin) * row_size);
    a.y = y.data();
    depthwise_kernel_s8(kernels, from, packed).run(a);
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(a.y_is_unsigned ? y[i] ^ -128 : y[i],
                expected[static_cast<std::size_t>(begin) * row_size + i])
          << kernels.isa << ", " << c.text() << ": rows from " << begin << " by " << step << ", ring of "
          << ring << ", pixel " << i / static_cast<std::size_t>(c.c) << ", channel "
          << i % static_cast<std::size_t>(c.c);
    ASSERT_TRUE(y.intact()) << kernels.isa << " wrote before y, " << c.text();
  }
}

TEST(depthwise_s8, equals_the_definition_on_every_isa_for_any_shape_and_any_rows) {
  const int cases = testing::cases(1'000, 20'000);
  for (int seed = 1; seed <= cases; ++seed) {
    const Case c = draw_case(static_cast<std::uint64_t>(seed));
    for (const Isa isa : available_isas()) {
      check(c, isa);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(depthwise_s8, runs_in_float_or_in_quads_wherever_weights_allow) {
  using Form = PackedDepthwiseS8::Form;
  Case c = draw_case(1);
  c.kernel_h = c.kernel_w = 3;
  c.stride_h = c.stride_w = 1;
  c.zero_w = 0;
  c.w = 28;
  c.c = 64;
  c.by.assign(64, {LINNET_M_MIN + 1, 34});
  c.bias.assign(64, 0);
  for (const Isa isa : available_isas()) {
    const KernelsS8& kernels = kernels_s8(isa);
    const auto form = [&](std::int8_t weight, bool in_float) {
      c.weight.assign(9 * 64, weight);
      c.in_float = in_float;
      return pack_depthwise_s8(kernels.depthwise_layout, c.weights()).form;
    };
    const bool has_float = isa == Isa::kAvx2 || isa == Isa::kAvx512,
               has_quads = !has_float && isa != Isa::kScalar;
    const Form fast = has_float ? Form::kFloat : has_quads ? Form::kQuads : Form::kPlain;
    EXPECT_EQ(form(LINNET_WEIGHT_MIN, true), fast) << kernels.isa;
    EXPECT_EQ(form(LINNET_WEIGHT_MIN, false), has_float ? Form::kPlain : fast) << kernels.isa;
    EXPECT_EQ(form(LINNET_INT8_MIN, true), has_float ? Form::kFloat : Form::kPlain) << kernels.isa;
  }
}

TEST(depthwise_s8, quads_of_columns_run_long_rows_at_stride_2_and_where_those_of_rows_waste_lanes) {
  using Form = PackedDepthwiseS8::Form;
  Case c = draw_case(1);
  c.kernel_h = c.kernel_w = 3;
  c.zero_w = 0;
  c.in_float = true;
  for (const Isa isa : available_isas()) {
    const KernelsS8& kernels = kernels_s8(isa);
    if (!kernels.depthwise_layout.has_columns) continue;
    const auto runs = [&](int w, int channels, int stride, Form form) {
      const auto n = static_cast<std::size_t>(channels);
      c.w = w;
      c.c = channels;
      c.stride_h = c.stride_w = stride;
      c.by.assign(n, {LINNET_M_MIN + 1, 34});
      c.bias.assign(n, 0);
      c.weight.assign(9 * n, 1);
      const PackedDepthwiseS8 packed = pack_depthwise_s8(kernels.depthwise_layout, c.weights());
      const DepthwiseSquaresS8& squares =
          form == Form::kColumns ? kernels.depthwise_columns : kernels.depthwise_quads;
      const auto expected = (stride == 1 ? squares.of3_stride1 : squares.of3_stride2).run;
      return packed.form == form && depthwise_kernel_s8(kernels, c.weights(), packed).run == expected;
    };
    EXPECT_TRUE(runs(56, 64, 2, Form::kColumns)) << kernels.isa;
    EXPECT_TRUE(runs(28, 64, 2, Form::kQuads)) << kernels.isa;
    EXPECT_TRUE(runs(56, 144, 1, Form::kColumns)) << kernels.isa;
    EXPECT_TRUE(runs(56, 192, 1, Form::kQuads)) << kernels.isa;
    EXPECT_TRUE(runs(14, 144, 1, Form::kQuads)) << kernels.isa;
    EXPECT_TRUE(runs(112, 8, 1, Form::kColumns)) << kernels.isa;
    EXPECT_TRUE(runs(112, 7, 1, Form::kQuads)) << kernels.isa;
  }
}

}  // namespace
}  // namespace linnet::cpu
