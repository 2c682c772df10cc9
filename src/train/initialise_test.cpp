#include "train/initialise.h"

#include <cmath>

#include <gtest/gtest.h>

#include "graph/families/family.h"

namespace linnet::train {
namespace {

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

TEST(initialise, has_names) {
  for (const char* name : {"he", "he-xavier"}) EXPECT_EQ(to_string(parse_initialisation(name).value()), name);
  EXPECT_EQ(parse_initialisation("none").error().message,
            "--initialisation takes he or he-xavier, not \"none\"");
}

}  // namespace
}  // namespace linnet::train
