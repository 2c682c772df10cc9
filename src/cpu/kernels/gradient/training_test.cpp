// The kernels of training against plain loops in double, on every ISA, in memory that ends at a page without
// access.
#include "base/float_formats.h"
#include "cpu/kernels/gradient/train_test.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

template <class Test>
void on_every_isa(int seeds, Test test) {
  for (int seed = 1; seed <= testing::cases(seeds); ++seed)
    for (const Isa isa : available_isas()) {
      Draw draw(static_cast<std::uint64_t>(seed));
      test(kernels_train(isa), draw);
      if (::testing::Test::HasFailure()) FAIL() << fmt::format("seed {}, {}", seed, to_string(isa));
    }
}

TEST(weight_gradient, is_the_sum_over_pixels) {
  on_every_isa(60, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, draw.between(0, 3) ? 40 : 300);
    const int k = draw.channels();
    const int c = draw.channels();
    const int k_row = k + draw.between(0, 2);
    const int c_row = c + draw.between(0, 2);
    Guarded<float> dy(size_of((pixels - 1) * k_row + k)), x(size_of((pixels - 1) * c_row + c)),
        dw(size_of(k * c));
    for (auto* values : {&dy, &x, &dw}) draw.fill(*values);
    const bool accumulate = draw.between(0, 1) == 1;
    std::vector<Sum> expected(dw.size());
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < c; ++j) {
        Sum& sum = expected[size_of(i * c + j)];
        if (accumulate) sum.add(dw[size_of(i * c + j)]);
        for (int p = 0; p < pixels; ++p)
          sum.add(double{dy[size_of(p * k_row + i)]} * double{x[size_of(p * c_row + j)]});
      }
    kernels.weight_gradient({.dy = dy.data(),
                             .dy_pixel = k_row,
                             .x = x.data(),
                             .x_pixel = c_row,
                             .pixels = pixels,
                             .k = k,
                             .c = c,
                             .dw = dw.data(),
                             .accumulate = accumulate});
    expect_sums(dw, expected);
  });
}

TEST(depthwise_gradient, is_the_sum_over_taps) {
  on_every_isa(80, [](const KernelsTrain& kernels, Draw& draw) {
    const int images = draw.between(1, 3);
    const int c = draw.channels();
    const int side = std::vector{1, 2, 3, 3, 5, 7}[draw.random.below(6)];
    const int kernel_h = side;
    const int kernel_w = draw.between(0, 4) ? side : draw.between(1, 6);
    const int stride_h = draw.between(1, 3);
    const int stride_w = draw.between(0, 4) ? stride_h : draw.between(1, 3);
    const int pad_top = draw.between(0, kernel_h);
    const int pad_left = draw.between(0, kernel_w);
    const int h = std::max(draw.between(1, 9), kernel_h - pad_top);
    const int w = std::max(draw.between(1, 9), kernel_w - pad_left);
    const int ho = (h + pad_top + draw.between(0, kernel_h) - kernel_h) / stride_h + 1;
    const int wo = (w + pad_left + draw.between(0, kernel_w) - kernel_w) / stride_w + 1;
    Guarded<float> x(size_of(images * h * w * c)), dy(size_of(images * ho * wo * c));
    Guarded<float> weight(size_of(kernel_h * kernel_w * c)), dw(weight.size()), dx(size_of(h * w * c));
    for (auto* values : {&x, &dy, &weight, &dw}) draw.fill(*values);
    const bool accumulate = draw.between(0, 1) == 1;
    std::vector<Sum> d_weight(dw.size()), d_input(dx.size());
    if (accumulate)
      for (std::size_t i = 0; i < dw.size(); ++i) d_weight[i].add(dw[i]);
    for (int image = 0; image < images; ++image)
      for (int o = 0; o < ho * wo * kernel_h * kernel_w * c; ++o) {
        const int channel = o % c;
        const int tap = o / c % (kernel_h * kernel_w);
        const int pixel = o / c / (kernel_h * kernel_w);
        const int row = pixel / wo * stride_h - pad_top + tap / kernel_w;
        const int column = pixel % wo * stride_w - pad_left + tap % kernel_w;
        if (row < 0 || row >= h || column < 0 || column >= w) continue;
        const double d = dy[size_of((image * ho * wo + pixel) * c + channel)];
        const auto at = size_of((row * w + column) * c + channel);
        d_weight[size_of(tap * c + channel)].add(d * double{x[size_of(image * h * w * c) + at]});
        if (image == 0) d_input[at].add(d * double{weight[size_of(tap * c + channel)]});
      }
    const DepthwiseGeometry at = {h, w, c, ho, wo, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left};
    kernels.depthwise_weight_gradient({at, images, x.data(), dy.data(), dw.data(), accumulate});
    expect_sums(dw, d_weight);
    kernels.depthwise_input_gradient({at, dy.data(), weight.data(), dx.data()});
    expect_sums(dx, d_input);
  });
}

TEST(product_sums, are_sums_of_products) {
  on_every_isa(30, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, 50);
    const int c = draw.channels();
    Guarded<float> a(size_of(pixels * c)), b(a.size()), sum(size_of(c));
    for (auto* values : {&a, &b}) draw.fill(*values);
    std::vector<Sum> expected(sum.size());
    for (std::size_t i = 0; i < a.size(); ++i) expected[i % size_of(c)].add(double{a[i]} * double{b[i]});
    kernels.product_sums({a.data(), b.data(), sum.data(), pixels, c});
    expect_sums(sum, expected);
  });
}

TEST(batch_norm, statistics_are_sums_of_what_is_apart_from_the_shift) {
  on_every_isa(30, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, 70);
    const int c = draw.channels();
    const int row = c + draw.between(0, 1) * draw.between(0, 17);
    Guarded<float> z(size_of((pixels - 1) * row + c)), shift(size_of(c)), sum(size_of(c)),
        squares(size_of(c));
    for (auto* values : {&z, &shift}) draw.fill(*values);
    std::vector<Sum> first(sum.size()), second(sum.size());
    for (int p = 0; p < pixels; ++p)
      for (int i = 0; i < c; ++i) {
        const double d = double{z[size_of(p * row + i)]} - double{shift[size_of(i)]};
        first[size_of(i)].add(d);
        second[size_of(i)].add(d * d);
      }
    kernels.statistics({.z = z.data(),
                        .row = row,
                        .pixels = pixels,
                        .c = c,
                        .shift = shift.data(),
                        .sum = sum.data(),
                        .sum_squares = squares.data()});
    expect_sums(sum, first);
    expect_sums(squares, second);
  });
}

TEST(batch_norm, a_thread_without_channels_does_nothing) {
  on_every_isa(1, [](const KernelsTrain& kernels, Draw&) {
    kernels.statistics({.z = nullptr,
                        .row = 8,
                        .pixels = 3,
                        .c = 0,
                        .shift = nullptr,
                        .sum = nullptr,
                        .sum_squares = nullptr});
    kernels.activation_gradient({.dy = nullptr,
                                 .earlier = nullptr,
                                 .z = nullptr,
                                 .multiply = nullptr,
                                 .add = nullptr,
                                 .mean = nullptr,
                                 .dv = nullptr,
                                 .row = 8,
                                 .pixels = 3,
                                 .c = 0,
                                 .finish = Finish::kNone,
                                 .sum = nullptr,
                                 .sum_centred = nullptr});
  });
}

TEST(batch_norm, stored_as_bfloat16_every_value_is_the_nearest) {
  for (const Isa isa : available_isas())
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE(fmt::format("seed {}, {}", seed, to_string(isa)));
      Draw draw(seed);
      const int pixels = draw.between(1, 40);
      const int c = draw.channels();
      Guarded<float> z(size_of(pixels * c)), shift(size_of(c)), sum(size_of(c)), squares(size_of(c));
      Guarded<Bf16> stored(z.size()), dv(z.size());
      for (auto* values : {&z, &shift}) draw.fill(*values);
      const BatchNormKernels<Bf16>& kernels = batch_norm_bf16(isa);
      kernels.statistics({.z = z.data(),
                          .row = c,
                          .pixels = pixels,
                          .c = c,
                          .shift = shift.data(),
                          .sum = sum.data(),
                          .sum_squares = squares.data(),
                          .stored = stored.data()});
      kernels.activation_gradient({.dy = z.data(),
                                   .earlier = nullptr,
                                   .z = stored.data(),
                                   .multiply = nullptr,
                                   .add = nullptr,
                                   .mean = nullptr,
                                   .dv = dv.data(),
                                   .row = c,
                                   .pixels = pixels,
                                   .c = c,
                                   .finish = Finish::kNone,
                                   .sum = sum.data(),
                                   .sum_centred = squares.data()});
      EXPECT_TRUE(stored.intact() && dv.intact());
      for (std::size_t i = 0; i < z.size(); ++i) {
        ASSERT_EQ(stored[i].bits, bfloat16_from_float(z[i])) << i;
        ASSERT_EQ(dv[i].bits, stored[i].bits) << i;
      }
    }
}

constexpr Finish kFinishes[] = {Finish::kNone, Finish::kRelu, Finish::kRelu6, Finish::kHardSwish,
                                Finish::kHardSigmoid};

double activate(Finish finish, double v) {
  switch (finish) {
    case Finish::kNone: return v;
    case Finish::kRelu: return std::max(v, 0.0);
    case Finish::kRelu6: return std::clamp(v, 0.0, 6.0);
    case Finish::kHardSwish: return v * std::clamp(v + 3, 0.0, 6.0) / 6;
    case Finish::kHardSigmoid: return std::clamp(v + 3, 0.0, 6.0) / 6;
  }
  return v;
}

TEST(batch_norm, normalises_and_activates) {
  on_every_isa(30, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, 20);
    const int c = draw.channels();
    const int row = c + draw.between(0, 17);
    const bool scaled = draw.between(0, 3) != 0;
    const Finish finish = kFinishes[draw.random.below(5)];
    Guarded<float> z(size_of(pixels * c)), multiply(size_of(c)), add(size_of(c)),
        y(size_of((pixels - 1) * row + c));
    for (auto* values : {&z, &multiply, &add}) draw.fill(*values);
    kernels.normalise({.z = z.data(),
                       .multiply = scaled ? multiply.data() : nullptr,
                       .add = scaled ? add.data() : nullptr,
                       .y = y.data(),
                       .y_pixel = row,
                       .pixels = pixels,
                       .c = c,
                       .finish = finish});
    EXPECT_TRUE(y.intact());
    for (int p = 0; p < pixels; ++p)
      for (int i = 0; i < c; ++i) {
        const double x = z[size_of(p * c + i)];
        const double v = scaled ? x * double{multiply[size_of(i)]} + double{add[size_of(i)]} : x;
        EXPECT_NEAR(y[size_of(p * row + i)], activate(finish, v), 1e-5 * (1 + std::abs(v) * 4))
            << p << ", " << i;
      }
  });
}

/// The slope at v, at kinks too as PyTorch has it.
double slope(Finish finish, double v) {
  switch (finish) {
    case Finish::kNone: return 1;
    case Finish::kRelu: return v > 0 ? 1 : 0;
    case Finish::kRelu6: return v > 0 && v < 6 ? 1 : 0;
    case Finish::kHardSwish: return v <= -3 ? 0 : v < 3 ? v / 3 + 0.5 : 1;
    case Finish::kHardSigmoid: return v > -3 && v < 3 ? 1.0 / 6 : 0;
  }
  return 1;
}

TEST(batch_norm, gradients_pass_the_activation_and_are_summed) {
  on_every_isa(60, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, 40);
    const int c = draw.channels();
    const bool scaled = draw.between(0, 3) != 0;
    const bool later = draw.between(0, 1) != 0;
    const Finish finish = kFinishes[draw.random.below(5)];
    Guarded<float> dy(size_of(pixels * c)), z(dy.size()), dv(dy.size());
    Guarded<float> multiply(size_of(c)), add(size_of(c)), mean(size_of(c)), sum(size_of(c)),
        centred(size_of(c));
    for (auto* values : {&dy, &z, &dv, &multiply, &add, &mean}) draw.fill(*values);
    // Quarters: v is exact, and lies on a kink now and then.
    for (auto* values : {&z, &multiply, &add})
      for (std::size_t i = 0; i < values->size(); ++i) (*values)[i] = std::round((*values)[i] * 4) / 4;
    std::vector<Sum> expected(dv.size()), sums(size_of(c)), centred_sums(size_of(c));
    for (std::size_t i = 0; i < dv.size(); ++i) {
      const std::size_t j = i % size_of(c);
      const double v = scaled ? double{z[i]} * double{multiply[j]} + double{add[j]} : double{z[i]};
      const double d = (double{dy[i]} + (later ? double{dv[i]} : 0)) * slope(finish, v);
      expected[i].add(d);
      expected[i].bound += 8;
      sums[j].add(d);
      centred_sums[j].add(d * (double{z[i]} - (scaled ? double{mean[j]} : 0)));
      centred_sums[j].bound += 8;
    }
    kernels.activation_gradient({.dy = dy.data(),
                                 .earlier = later ? dv.data() : nullptr,
                                 .z = z.data(),
                                 .multiply = scaled ? multiply.data() : nullptr,
                                 .add = scaled ? add.data() : nullptr,
                                 .mean = scaled ? mean.data() : nullptr,
                                 .dv = dv.data(),
                                 .row = c,
                                 .pixels = pixels,
                                 .c = c,
                                 .finish = finish,
                                 .sum = sum.data(),
                                 .sum_centred = centred.data()});
    expect_sums(dv, expected);
    for (Sum& s : sums) s.bound += 8;
    expect_sums(sum, sums);
    expect_sums(centred, centred_sums);
  });
}

TEST(batch_norm, hands_a_gradient_on_as_a_line_of_gradient_and_value) {
  on_every_isa(30, [](const KernelsTrain& kernels, Draw& draw) {
    const int pixels = draw.between(1, 20);
    const int c = draw.channels();
    Guarded<float> dv(size_of(pixels * c)), z(dv.size()), dz(dv.size());
    Guarded<float> by_gradient(size_of(c)), by_value(size_of(c)), constant(size_of(c));
    for (auto* values : {&dv, &z, &by_gradient, &by_value, &constant}) draw.fill(*values);
    std::vector<Sum> expected(dz.size());
    for (std::size_t i = 0; i < dz.size(); ++i) {
      const std::size_t j = i % size_of(c);
      expected[i].add(double{dv[i]} * double{by_gradient[j]});
      expected[i].add(double{z[i]} * double{by_value[j]});
      expected[i].add(constant[j]);
    }
    kernels.normalise_gradient(
        {dv.data(), z.data(), by_gradient.data(), by_value.data(), constant.data(), dz.data(), c, pixels, c});
    expect_sums(dz, expected);
  });
}

}  // namespace
}  // namespace linnet::cpu
