#include "train/optimizer.h"

#include <cmath>

#include <gtest/gtest.h>

namespace linnet::train {
namespace {

/// Two parameters, one of which decays.
struct Pair {
  std::vector<float> values = {1.0f, -2.0f, 0.5f};
  std::vector<float> gradients = {0.25f, 0.5f, -1.0f};
  std::vector<Parameter> parameters = {
      {"weight", std::span(values).first(2), std::span(gradients).first(2), true},
      {"bias", std::span(values).last(1), std::span(gradients).last(1), false}};
};

TEST(optimizer, sgd_is_the_formula_and_spares_what_does_not_decay) {
  for (const bool nesterov : {false, true})
    for (const int threads : {1, 2}) {
      Pair pair;
      ThreadPool pool(threads);
      const auto sgd =
          make_sgd(pair.parameters, {.momentum = 0.9f, .nesterov = nesterov, .weight_decay = 0.1f});
      double w[] = {1.0, -2.0, 0.5};
      double velocity[] = {0, 0, 0};
      for (int i = 0; i < 5; ++i) {
        sgd->step(0.1f, pool);
        for (int j = 0; j < 3; ++j) {
          const double d = double{pair.gradients[static_cast<std::size_t>(j)]} + (j < 2 ? 0.1 * w[j] : 0.0);
          velocity[j] = 0.9 * velocity[j] + d;
          w[j] -= 0.1 * (nesterov ? d + 0.9 * velocity[j] : velocity[j]);
          EXPECT_NEAR(pair.values[static_cast<std::size_t>(j)], w[j], 1e-6);
        }
      }
    }
}

TEST(optimizer, adamw_is_the_formula_and_spares_what_does_not_decay) {
  Pair pair;
  ThreadPool pool(2);
  const auto adamw = make_adamw(pair.parameters, {.weight_decay = 0.1f});
  double w[] = {1.0, -2.0, 0.5};
  double m[] = {0, 0, 0};
  double v[] = {0, 0, 0};
  for (int i = 1; i <= 5; ++i) {
    adamw->step(0.1f, pool);
    for (int j = 0; j < 3; ++j) {
      const double g = double{pair.gradients[static_cast<std::size_t>(j)]};
      m[j] = 0.9 * m[j] + 0.1 * g;
      v[j] = 0.999 * v[j] + 0.001 * g * g;
      if (j < 2) w[j] -= 0.1 * 0.1 * w[j];
      w[j] -= 0.1 * m[j] / (1 - std::pow(0.9, i)) / (std::sqrt(v[j] / (1 - std::pow(0.999, i))) + 1e-8);
      EXPECT_NEAR(pair.values[static_cast<std::size_t>(j)], w[j], 1e-5);
    }
  }
}

TEST(optimizer, a_state_put_back_continues_bit_by_bit) {
  for (const bool adam : {false, true}) {
    Pair a, b;
    ThreadPool pool(1);
    const auto make = [&](Pair& pair) {
      return adam ? make_adamw(pair.parameters, {}) : make_sgd(pair.parameters, {});
    };
    const auto first = make(a);
    for (int i = 0; i < 3; ++i) first->step(0.01f, pool);
    b.values = a.values;
    const auto second = make(b);
    std::ranges::copy(first->state(), second->state().begin());
    first->step(0.01f, pool);
    second->step(0.01f, pool);
    EXPECT_EQ(a.values, b.values);
  }
}

TEST(optimizer, clipping_scales_all_gradients_to_the_norm) {
  Pair pair;
  const double norm = std::sqrt(0.0625 + 0.25 + 1.0);
  EXPECT_DOUBLE_EQ(clip_gradients(pair.parameters, 2.0), norm);
  EXPECT_EQ(pair.gradients, (std::vector<float>{0.25f, 0.5f, -1.0f}));
  EXPECT_DOUBLE_EQ(clip_gradients(pair.parameters, 0.5), norm);
  EXPECT_NEAR(gradient_norm(pair.parameters), 0.5, 1e-7);
  EXPECT_NEAR(pair.gradients[2], -0.5 / norm, 1e-7);
}

}  // namespace
}  // namespace linnet::train
