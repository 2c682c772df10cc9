// Fake quantisation against numerics/ and its gradient against the textbook, on every ISA.
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "cpu/isa.h"
#include "cpu/kernels/guarded.h"
#include "numerics/multiplier.h"

namespace linnet::cpu {
namespace {

struct Draw {
  Random random;
  float scale = std::exp2(random.uniform(-9, 2));
  int zero_point = static_cast<int>(random.below(256)) - 128;
  GridF32 grid = {scale, 1.0f / scale, static_cast<float>(-128 - zero_point),
                  static_cast<float>(127 - zero_point)};

  std::ptrdiff_t below(std::uint64_t n) { return static_cast<std::ptrdiff_t>(random.below(n)); }
  /// On both sides of the grid's ends, and halves, where rounding is decided by a bit.
  float value() {
    const float steps = random.uniform(-300, 300);
    return random.below(4) == 0 ? (std::round(steps) + 0.5f) * scale : steps * scale;
  }
};

template <class Test>
void on_every_isa(Test test) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    for (const Isa isa : available_isas()) {
      Draw draw{Random(seed)};
      test(kernels_train(isa), draw);
      if (::testing::Test::HasFailure()) FAIL() << fmt::format("seed {}, {}", seed, to_string(isa));
    }
}

TEST(fake_quantize, is_what_numerics_stores_bit_by_bit) {
  on_every_isa([](const KernelsTrain& kernels, Draw& draw) {
    const std::ptrdiff_t pixels = 1 + draw.below(5), c = 1 + draw.below(150);
    const std::ptrdiff_t x_pixel = c + draw.below(3), y_pixel = c + draw.below(3);
    Guarded<float> x(static_cast<std::size_t>((pixels - 1) * x_pixel + c));
    Guarded<float> y(static_cast<std::size_t>((pixels - 1) * y_pixel + c));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = draw.value();
    kernels.fake_quantize({.x = x.data(),
                           .x_pixel = x_pixel,
                           .y = y.data(),
                           .y_pixel = y_pixel,
                           .pixels = pixels,
                           .c = static_cast<int>(c),
                           .grid = draw.grid});
    EXPECT_TRUE(y.intact());
    for (std::ptrdiff_t p = 0; p < pixels; ++p)
      for (std::ptrdiff_t i = 0; i < c; ++i) {
        const float from = x[static_cast<std::size_t>(p * x_pixel + i)];
        const int q = numerics::quantize_real(from, 1.0f / draw.scale, draw.zero_point);
        ASSERT_EQ(y[static_cast<std::size_t>(p * y_pixel + i)],
                  numerics::dequantize_real(q, draw.scale, draw.zero_point))
            << "of " << from;
      }
  });
}

TEST(fake_quantize, its_gradient_is_the_textbooks) {
  on_every_isa([](const KernelsTrain& kernels, Draw& draw) {
    Guarded<float> x(static_cast<std::size_t>(1 + draw.below(300)));
    Guarded<float> d(x.size());
    std::vector<float> dy(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = draw.value();
      d[i] = dy[i] = draw.random.uniform(-1, 1);
    }
    FakeQuantizeGradientF32 a = {
        .x = x.data(), .d = d.data(), .n = std::ssize(dy), .grid = draw.grid, .inside = 0, .clipped = 0};
    kernels.fake_quantize_gradient(a);
    EXPECT_TRUE(d.intact());
    double inside = 0, clipped = 0, terms = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float steps = x[i] * draw.grid.inverse_scale;
      const float q = std::clamp(std::nearbyint(steps), draw.grid.low, draw.grid.high);
      const bool is_clipped = std::abs(q - steps) > 0.5f;
      (is_clipped ? clipped : inside) += double{dy[i]} * double{is_clipped ? q : q - steps};
      terms += std::abs(double{dy[i]} * double{q});
      ASSERT_EQ(d[i], is_clipped ? 0.0f : dy[i]) << x[i] << " at " << i;
    }
    EXPECT_NEAR(a.inside, inside, 1e-5 * static_cast<double>(x.size()));
    EXPECT_NEAR(a.clipped, clipped, 1e-5 * (terms + 1));
  });
}

TEST(fake_quantize, the_gradient_of_the_scale_is_the_slope_when_rounding_stays) {
  // y(s) = s * clamp(x / s + r), r what rounding added at the scale itself.
  on_every_isa([](const KernelsTrain& kernels, Draw& draw) {
    const float x = draw.value();
    const double scale = draw.scale;
    const double r = std::nearbyint(double{x} / scale) - double{x} / scale;
    const auto y = [&](double s) {
      return s * std::clamp(double{x} / s + r, double{draw.grid.low}, double{draw.grid.high});
    };
    const double steps = double{x} / scale;
    // At a kink there are two slopes, and a half may round either way in float.
    for (const float end : {draw.grid.low, draw.grid.high})
      if (std::abs(std::abs(steps - double{end}) - 0.5) < 0.01) return;
    if (std::abs(std::abs(r) - 0.5) < 0.01) return;
    const double step = 1e-4 * scale;
    const double slope = (y(scale + step) - y(scale - step)) / (2 * step);
    float d = 1;
    FakeQuantizeGradientF32 a = {.x = &x, .d = &d, .n = 1, .grid = draw.grid, .inside = 0, .clipped = 0};
    kernels.fake_quantize_gradient(a);
    // Rounded onto the grid's very end: a little larger a scale and nothing is clipped.
    if (std::nearbyint(steps) <= double{draw.grid.low} || std::nearbyint(steps) >= double{draw.grid.high}) {
      EXPECT_TRUE(d == 1 || std::abs(double{a.clipped} - slope) < 1e-3) << steps;
      return;
    }
    EXPECT_NEAR(double{a.inside} + double{a.clipped}, slope, 1e-3) << steps;
  });
}

}  // namespace
}  // namespace linnet::cpu
