// Training's products of bfloat16 against plain loops in double, by every instruction set that has them.
#include <limits>

#include "base/aligned.h"
#include "base/float_formats.h"
#include "cpu/kernels/gradient/train_test.h"

namespace linnet::cpu {
namespace {

/// Values that bfloat16 has.
void fill_rounded(Guarded<float>& values, Draw& draw) {
  draw.fill(values);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = float_from_bfloat16(bfloat16_from_float(values[i]));
}

/// Rows as the products read them: what is not theirs is not a number.
void fill_rows(Guarded<Bf16>& x, const Guarded<float>& values, int rows, int c, std::ptrdiff_t pitch) {
  const std::uint16_t nan = bfloat16_from_float(std::numeric_limits<float>::quiet_NaN());
  for (std::size_t i = 0; i < x.size(); ++i) x[i].bits = nan;
  for (int p = 0; p < rows; ++p)
    for (int i = 0; i < whole_depth_bf16(c); ++i)
      x[size_of(p * pitch + i)].bits = i < c ? bfloat16_from_float(values[size_of(p * c + i)]) : 0;
}
std::size_t rows_size(int rows, int c, std::ptrdiff_t pitch) {
  return size_of((whole_rows_bf16(rows) - 1) * pitch + whole_depth_bf16(c));
}

template <class Test>
void on_every_isa_with_products(int seeds, Test test) {
  for (const Isa isa : available_isas()) {
    const KernelsProductsBf16* kernels = products_bf16(isa);
    for (int seed = 1; kernels && seed <= seeds; ++seed) {
      Draw draw(static_cast<std::uint64_t>(seed));
      test(*kernels, draw);
      if (::testing::Test::HasFailure()) FAIL() << fmt::format("seed {}, {}", seed, to_string(isa));
    }
  }
}

TEST(products_bf16, a_product_is_the_sum_over_the_depth) {
  on_every_isa_with_products(80, [](const KernelsProductsBf16& kernels, Draw& draw) {
    const int pixels = draw.between(1, 100);
    const int k = draw.channels();
    const int depth = draw.channels();
    const std::ptrdiff_t pitch = pitch_bf16(depth) - 32 * draw.between(0, 1);
    const bool transposed = draw.between(0, 1) == 1;
    const bool biased = draw.between(0, 1) == 1;
    Guarded<float> values(size_of(pixels * depth)), weight(size_of(k * depth)), bias(size_of(k)),
        y(size_of(pixels * k));
    for (auto* v : {&values, &weight}) fill_rounded(*v, draw);
    draw.fill(bias);
    Guarded<Bf16> x(rows_size(pixels, depth, pitch));
    fill_rows(x, values, pixels, depth, pitch);
    AlignedVector<Bf16> packed(packed_size_bf16(k, depth));
    const int panels = count_panels_bf16(k);
    const int cut = draw.between(0, panels);
    for (const auto& [begin, end] : {std::pair(0, cut), std::pair(cut, panels)})
      kernels.pack({.k = k,
                    .depth = depth,
                    .weight = weight.data(),
                    .transposed = transposed,
                    .packed = packed.data(),
                    .panel_begin = begin,
                    .panel_end = end});
    kernels.product({.x = x.data(),
                     .x_pixel = pitch,
                     .pixels = pixels,
                     .depth = depth,
                     .packed = packed.data(),
                     .bias = biased ? bias.data() : nullptr,
                     .y = y.data(),
                     .k = k,
                     .panel_begin = 0,
                     .panel_end = panels});
    std::vector<Sum> expected(y.size());
    for (int p = 0; p < pixels; ++p)
      for (int i = 0; i < k; ++i) {
        Sum& sum = expected[size_of(p * k + i)];
        if (biased) sum.add(bias[size_of(i)]);
        for (int d = 0; d < depth; ++d)
          sum.add(double{values[size_of(p * depth + d)]} *
                  double{weight[size_of(transposed ? d * k + i : i * depth + d)]});
      }
    expect_sums(y, expected);
  });
}

TEST(products_bf16, packed_weights_are_the_nearest_in_pairs) {
  on_every_isa_with_products(30, [](const KernelsProductsBf16& kernels, Draw& draw) {
    const int k = draw.channels();
    const int depth = draw.channels();
    const bool transposed = draw.between(0, 1) == 1;
    Guarded<float> weight(size_of(k * depth));
    draw.fill(weight);
    AlignedVector<Bf16> packed(packed_size_bf16(k, depth));
    kernels.pack({.k = k,
                  .depth = depth,
                  .weight = weight.data(),
                  .transposed = transposed,
                  .packed = packed.data(),
                  .panel_begin = 0,
                  .panel_end = count_panels_bf16(k)});
    const int whole = whole_depth_bf16(depth);
    for (int i = 0; i < count_panels_bf16(k) * kBf16Channels; ++i)
      for (int d = 0; d < whole; ++d) {
        const std::size_t at = size_of(i / kBf16Channels * kBf16Channels * whole +
                                       (d / 2 * kBf16Channels + i % kBf16Channels) * 2 + d % 2);
        const bool inside = i < k && d < depth;
        ASSERT_EQ(packed[at].bits,
                  inside ? bfloat16_from_float(weight[size_of(transposed ? d * k + i : i * depth + d)]) : 0)
            << "output channel " << i << ", depth " << d;
      }
  });
}

TEST(products_bf16, a_weight_gradient_is_the_sum_over_pixels) {
  on_every_isa_with_products(80, [](const KernelsProductsBf16& kernels, Draw& draw) {
    const int pixels = draw.between(1, draw.between(0, 3) ? 70 : 600);
    const int k = draw.channels();
    const int c = draw.channels();
    const std::ptrdiff_t k_row = pitch_bf16(k);
    const std::ptrdiff_t c_row = pitch_bf16(c);
    Guarded<float> dy(size_of(pixels * k)), x(size_of(pixels * c)), dw(size_of(k * c));
    for (auto* values : {&dy, &x}) fill_rounded(*values, draw);
    draw.fill(dw);
    const bool accumulate = draw.between(0, 1) == 1;
    std::vector<Sum> expected(dw.size());
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < c; ++j) {
        Sum& sum = expected[size_of(i * c + j)];
        if (accumulate) sum.add(dw[size_of(i * c + j)]);
        for (int p = 0; p < pixels; ++p)
          sum.add(double{dy[size_of(p * k + i)]} * double{x[size_of(p * c + j)]});
      }
    Guarded<Bf16> dy_rows(rows_size(pixels, k, k_row)), x_rows(rows_size(pixels, c, c_row));
    fill_rows(dy_rows, dy, pixels, k, k_row);
    fill_rows(x_rows, x, pixels, c, c_row);
    AlignedVector<Bf16> scratch(weight_gradient_scratch_bf16(k, c));
    kernels.weight_gradient({.dy = dy_rows.data(),
                             .dy_pixel = k_row,
                             .x = x_rows.data(),
                             .x_pixel = c_row,
                             .pixels = pixels,
                             .k = k,
                             .c = c,
                             .dw = dw.data(),
                             .accumulate = accumulate,
                             .scratch = scratch.data()});
    expect_sums(dw, expected);
  });
}

}  // namespace
}  // namespace linnet::cpu
