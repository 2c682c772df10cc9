// Gradients: the textbook's against finite differences, the network's against the textbook's.
#include <fmt/format.h>

#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/random_graph.h"
#include "support/cases.h"
#include "train/compare.h"
#include "train/initialise.h"

namespace linnet::train {
namespace {

const char* const kFamilies[] = {"mobilenet_v1:width=0.25,resolution=33,classes=5",
                                 "mobilenet_v1:width=0.3,resolution=32,classes=7,stem_stride=1",
                                 "mobilenet_v2:width=0.35,resolution=32,classes=5",
                                 "mobilenet_v3_small:width=0.35,resolution=35,classes=5",
                                 "mobilenet_v3_large:width=0.25,resolution=32,classes=5",
                                 "mobilenet_v4_conv_small:width=0.25,resolution=32,classes=5"};

Graph family(const char* model) {
  return initialise(build(*parse_family(model)).value(), Initialisation::kHeFanOut, 1);
}

/// A random graph without a softmax.
Graph random_graph(std::uint64_t seed) {
  RandomGraph random(seed);
  for (;;) {
    Graph graph = random.network(random.between(1, 6));
    const auto softmax = [](const Node& node) { return std::holds_alternative<Softmax>(node.op); };
    if (std::ranges::none_of(graph.nodes, softmax)) return graph;
  }
}

/// The loss along random directions, against what the gradients say.
void expect_slope(const Problem& p, int directions) {
  Reference reference = reference_of(p);
  const auto gradients = reference.gradients;
  const auto constants = reference.constants;
  Random random(7);
  for (int i = 0; i < directions; ++i) {
    std::map<std::string, std::vector<double>> direction;
    double expected = 0;
    double scale = 0;
    for (const auto& [name, gradient] : gradients)
      for (const double g : gradient) {
        direction[name].push_back(double{random.uniform(-1, 1)});
        expected += g * direction[name].back();
        scale += g * g;
      }
    constexpr double kStep = 1e-9;
    double difference = 0;
    for (const double sign : {1.0, -1.0}) {
      reference.constants = constants;
      for (const auto& [name, d] : direction)
        for (std::size_t j = 0; j < d.size(); ++j) reference.constants[name][j] += sign * kStep * d[j];
      difference += sign * reference.loss(p.pixels, p.targets);
    }
    EXPECT_NEAR(difference / (2 * kStep), expected, 1e-5 * std::sqrt(scale) + 1e-6) << "direction " << i;
  }
}

TEST(gradient, the_textbook_agrees_with_finite_differences_for_every_operator) {
  for (std::uint64_t seed = 1; seed <= testing::cases(40u); ++seed) {
    expect_slope(make_problem(random_graph(seed), 3, seed), 6);
    if (::testing::Test::HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(gradient, the_textbook_agrees_with_finite_differences_for_every_family) {
  for (const char* model : kFamilies) {
    SCOPED_TRACE(model);
    expect_slope(make_problem(family(model), 4, 3), 3);
  }
}

TEST(gradient, random_networks_agree_with_the_textbook_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= testing::cases(60u); ++seed) {
    RandomGraph random(seed);
    const Problem p = make_problem(random_graph(seed), random.between(1, 5), seed);
    const Expectation expected(p);
    for (const cpu::Isa isa : cpu::available_isas()) {
      const int threads = random.between(1, 4);
      expect_exact_step(p, expected, threads, {.isa = isa});
      if (::testing::Test::HasFailure())
        FAIL() << fmt::format("seed {}, {}, {} threads\n{}", seed, to_string(isa), threads, dump(p.graph));
    }
  }
}

TEST(gradient, every_family_agrees_with_the_textbook_on_every_isa) {
  int threads = 1;
  for (const char* model : kFamilies) {
    const Problem p = make_problem(family(model), 6, 11);
    const Expectation expected(p);
    for (const cpu::Isa isa : cpu::available_isas()) {
      SCOPED_TRACE(fmt::format("{}, {}, {} threads", model, to_string(isa), threads));
      expect_exact_step(p, expected, threads, {.isa = isa});
      threads = threads % 3 + 1;
    }
  }
}

TEST(gradient, random_networks_in_mixed_precision_are_as_near_as_bfloat16_can_be) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    RandomGraph random(seed);
    const Problem p = make_problem(random_graph(seed), random.between(1, 5), seed);
    const Expectation expected(p, cpu::Precision::kBf16);
    for (const cpu::Isa isa : cpu::available_isas()) {
      const int threads = random.between(1, 4);
      const bool multiplies = random.between(0, 3) != 0;
      expect_exact_step(p, expected, threads,
                        {.isa = isa, .precision = cpu::Precision::kBf16, .multiplies_bf16 = multiplies});
      if (::testing::Test::HasFailure())
        FAIL() << fmt::format("seed {}, {}, {} threads, multiplies: {}\n{}", seed, to_string(isa), threads,
                              multiplies, dump(p.graph));
    }
  }
}

TEST(gradient, every_family_in_mixed_precision_is_as_near_as_bfloat16_can_be) {
  int threads = 1;
  for (const char* model : kFamilies) {
    const Problem p = make_problem(family(model), 6, 11);
    const Expectation expected(p, cpu::Precision::kBf16);
    for (const cpu::Isa isa : cpu::available_isas()) {
      SCOPED_TRACE(fmt::format("{}, {}, {} threads", model, to_string(isa), threads));
      expect_exact_step(p, expected, threads, {.isa = isa, .precision = cpu::Precision::kBf16});
      threads = threads % 3 + 1;
    }
  }
}

}  // namespace
}  // namespace linnet::train
