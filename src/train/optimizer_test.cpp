#include "train/optimizer.h"

#include <cmath>

#include <gtest/gtest.h>

#include "graph/families/family.h"
#include "train/initialise.h"
#include "train/schedule.h"

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

TEST(schedule, steps_by_a_fifth_every_sixty_epochs) {
  const Schedule s = {.base = 0.01f, .steps = 2000, .epoch_steps = 10};
  EXPECT_FLOAT_EQ(s.rate(0), 0.01f);
  EXPECT_FLOAT_EQ(s.rate(599), 0.01f);
  EXPECT_FLOAT_EQ(s.rate(600), 0.002f);
  EXPECT_FLOAT_EQ(s.rate(1999), 0.01f * 0.008f);
}

TEST(schedule, cosine_warms_up_and_comes_down_to_the_last_rate) {
  const Schedule s = {.kind = ScheduleKind::kCosine, .base = 0.4f, .steps = 110, .warm_up = 10, .last = 0.5f};
  EXPECT_FLOAT_EQ(s.rate(0), 0.04f);
  EXPECT_FLOAT_EQ(s.rate(9), 0.4f);
  EXPECT_FLOAT_EQ(s.rate(10), 0.4f);
  EXPECT_FLOAT_EQ(s.rate(60), 0.3f);
  EXPECT_NEAR(s.rate(109), 0.2f, 1e-4);
}

TEST(schedule, one_cycle_rises_and_falls) {
  const Schedule s = {
      .kind = ScheduleKind::kOneCycle, .base = 1.0f, .steps = 101, .first = 0.1f, .rise = 0.3f};
  EXPECT_FLOAT_EQ(s.rate(0), 0.1f);
  EXPECT_FLOAT_EQ(s.rate(15), 0.55f);
  EXPECT_FLOAT_EQ(s.rate(30), 1.0f);
  EXPECT_FLOAT_EQ(s.rate(65), 0.5f);
  EXPECT_NEAR(s.rate(100), 0.0f, 1e-7);
  for (int i = 1; i <= 100; ++i) {
    if (i <= 30)
      EXPECT_GT(s.rate(i), s.rate(i - 1));
    else
      EXPECT_LT(s.rate(i), s.rate(i - 1));
  }
  EXPECT_FLOAT_EQ((Schedule{.kind = ScheduleKind::kOneCycle, .base = 1.0f, .steps = 1}).rate(0), 0.0f);
}

double variance(const Constant& constant) {
  double sum = 0;
  for (const float v : constant.values()) sum += double{v} * double{v};
  return sum / static_cast<double>(constant.size());
}

TEST(initialise, weights_have_the_variance_that_their_rule_says) {
  const Graph untrained = build(*parse_family("mobilenet_v1:resolution=32,classes=100")).value();
  const Graph modern = initialise(untrained, Initialisation::kHeFanOut, 3);
  const Graph xavier = initialise(untrained, Initialisation::kHeXavier, 3);
  EXPECT_EQ(modern, initialise(untrained, Initialisation::kHeFanOut, 3));
  ASSERT_TRUE(validate(modern));
  for (NodeId id = 0; id < modern.size(); ++id) {
    const auto near = [&](const Constant& weight, double expected) {
      const double deviation = expected * 5 * std::sqrt(2.0 / static_cast<double>(weight.size()));
      EXPECT_NEAR(variance(weight), expected, deviation) << modern[id].name;
    };
    if (const auto* op = std::get_if<Convolution>(&modern[id].op)) {
      const auto& d = op->weight.dims();
      near(op->weight, 2.0 / (d[0] * d[1] * d[2]));
      near(std::get<Convolution>(xavier[id].op).weight,
           d[1] == 1 ? 2.0 / (d[0] + d[3]) : 2.0 / (d[1] * d[2] * d[3]));
    }
    if (const auto* op = std::get_if<Depthwise>(&modern[id].op)) {
      near(op->weight, 2.0 / 9);
      near(std::get<Depthwise>(xavier[id].op).weight, 2.0 / 9);
    }
    if (const auto* op = std::get_if<Linear>(&modern[id].op)) {
      near(op->weight, 1e-4);
      near(std::get<Linear>(xavier[id].op).weight, 2.0 / (1024 + 100));
      EXPECT_EQ(variance(op->bias), 0);
    }
    if (const auto* op = std::get_if<BatchNorm>(&modern[id].op)) {
      EXPECT_EQ(op->scale.values()[0], 1.0f);
      EXPECT_EQ(op->offset.values()[0], 0.0f);
    }
  }
}

}  // namespace
}  // namespace linnet::train
