#include "train/network.h"

#include "cpu/executor.h"
#include "graph/builder.h"
#include "graph/families/family.h"
#include "train/compare.h"
#include "train/initialise.h"
#include "train/moving_average.h"
#include "train/optimizer.h"

namespace linnet::train {
namespace {

Graph family(const char* model, std::uint64_t seed = 1) {
  return initialise(build(*parse_family(model)).value(), Initialisation::kHeFanOut, seed);
}

constexpr cpu::Precision kPrecisions[] = {cpu::Precision::kFloat32, cpu::Precision::kBf16};
constexpr const char* kSmall = "mobilenet_v3_small:width=0.35,resolution=32,classes=5";

/// A step of SGD; the loss before it.
void expect_one_batch_is_learnt_by_heart(const char* model, cpu::Precision precision) {
  const Problem p = make_certain_problem(family(model), 16, 5);
  ThreadPool pool(2);
  Network network = Network::make(p.graph, p.images, pool, {.precision = precision}).value();
  const auto optimizer = make_sgd(network.parameters(), {.momentum = 0.9f, .nesterov = true});
  double loss = 0;
  for (int i = 0; i < 150; ++i) loss = step(network, *optimizer, p, 0.05f, pool);
  EXPECT_LT(loss, 0.003) << model << ", " << to_string(precision);
}

TEST(network, one_batch_is_learnt_by_heart) {
  for (const char* model :
       {"mobilenet_v1:width=0.25,resolution=32,classes=5", "mobilenet_v2:width=0.35,resolution=32,classes=5",
        kSmall, "mobilenet_v4_conv_small:width=0.25,resolution=32,classes=5"})
    expect_one_batch_is_learnt_by_heart(model, cpu::Precision::kFloat32);
  expect_one_batch_is_learnt_by_heart(kSmall, cpu::Precision::kBf16);
}

TEST(network, the_same_threads_give_the_same_bits) {
  const Problem p = make_problem(family(kSmall), 7, 2);
  for (const cpu::Precision precision : kPrecisions)
    for (const int threads : {1, 3}) {
      std::vector<std::vector<float>> runs;
      for (int run = 0; run < 2; ++run) {
        ThreadPool pool(threads);
        Network network =
            Network::make(p.graph, p.images, pool, {.precision = precision, .dropout = 0.3f}).value();
        const auto optimizer = make_adamw(network.parameters(), {});
        for (int i = 0; i < 3; ++i) step(network, *optimizer, p, 0.01f, pool);
        runs.push_back(copy(network.values()));
      }
      EXPECT_EQ(runs[0], runs[1]) << threads << " threads, " << to_string(precision);
    }
}

TEST(network, running_statistics_follow_the_batch_with_its_unbiased_variance) {
  const Problem p = make_problem(family("mobilenet_v1:width=0.25,resolution=32,classes=5"), 4, 9);
  const Reference reference = reference_of(p);
  ThreadPool pool(3);
  Network network = Network::make(p.graph, 9, pool, {.momentum = 0.25f}).value();
  ASSERT_TRUE(network.forward(p.pixels, true));
  const Graph after = network.to_graph();
  int norms = 0;
  for (NodeId id = 0; id < after.size(); ++id) {
    const auto* norm = std::get_if<BatchNorm>(&after[id].op);
    if (!norm) continue;
    ++norms;
    const auto [mean, variance] = reference.statistics(after[id].name);
    for (std::size_t c = 0; c < mean.size(); ++c) {
      EXPECT_NEAR(norm->mean.values()[c], 0.25 * mean[c], 1e-4) << after[id].name;
      EXPECT_NEAR(norm->variance.values()[c], 0.75 + 0.25 * variance[c], 1e-4 * (1 + variance[c]));
    }
  }
  EXPECT_EQ(norms, 27);
}

TEST(network, what_it_hands_on_is_what_the_engine_computes) {
  const Problem p = make_problem(family(kSmall), 8, 4);
  ThreadPool pool(2);
  Network network = Network::make(p.graph, p.images, pool, {.dropout = 0.5f}).value();
  const auto optimizer = make_sgd(network.parameters(), {});
  for (int i = 0; i < 5; ++i) step(network, *optimizer, p, 0.02f, pool);
  const Graph trained = network.to_graph();
  ASSERT_TRUE(validate(trained));
  const std::vector<float> scores = copy(network.forward(p.pixels, false).value());
  std::vector<float> engine(scores.size());
  const auto executor = cpu::make_executor(trained, {}).value();
  ASSERT_TRUE(executor->run(p.images, p.pixels, engine));
  double largest = 0;
  for (const float s : scores) largest = std::max(largest, std::abs(double{s}));
  for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], engine[i], 1e-4 * largest);
}

TEST(network, a_smaller_batch_runs_in_the_room_of_a_larger_one) {
  const Problem p = make_problem(family(kSmall), 2, 4);
  const Expectation expected(p);
  ThreadPool pool(4);
  Network network = Network::make(p.graph, 11, pool).value();
  const auto scores = network.forward(p.pixels, true).value();
  std::vector<float> d_scores(scores.size());
  softmax_cross_entropy(scores, p.targets, 5, d_scores);
  ASSERT_TRUE(network.backward(d_scores));
  for (const Parameter& parameter : network.parameters())
    expected.check(parameter.name, parameter.gradient, expected.exact.gradients.at(parameter.name));
}

TEST(network, dropout_drops_its_share_in_training_alone_and_differs_from_step_to_step) {
  GraphBuilder b("one", {1, 1, 4000});
  AlignedVector<float> ones(4000, 1.0f);
  const NodeId x = b.add("classifier", Linear{.weight = Constant({1, 4000}, std::move(ones))}, {b.input()});
  const Graph graph = std::move(b).finish(x).value();
  ThreadPool pool(1);
  Network network = Network::make(graph, 2, pool, {.dropout = 0.25f}).value();
  const std::vector<float> image(8000, 1.0f);
  EXPECT_EQ(copy(network.forward(image, false).value()), (std::vector<float>{4000, 4000}));
  const auto first = copy(network.forward(image, true).value());
  EXPECT_NEAR(first[0], 4000, 150);  // deviation 37
  EXPECT_NE(first[0], 4000);
  EXPECT_NE(first[0], first[1]);
  ASSERT_TRUE(network.backward(std::vector<float>{1, 0}));
  // What was kept hands its gradient on.
  int dropped = 0;
  for (const float g : network.gradients()) dropped += g == 0 ? 1 : 0;
  EXPECT_NEAR(dropped, 1000, 150);
  EXPECT_NEAR(first[0], static_cast<float>(4000 - dropped) / 0.75f, 0.1);
  EXPECT_NE(copy(network.forward(image, true).value()), first);
}

TEST(network, what_cannot_be_trained_or_does_not_fit_is_an_error) {
  const Problem p = make_problem(family(kSmall), 2, 4);
  ThreadPool pool(1);
  EXPECT_FALSE(Network::make(p.graph, 0, pool));
  EXPECT_FALSE(Network::make(p.graph, 1, pool, {.precision = cpu::Precision::kFp16}));
  EXPECT_FALSE(Network::make(p.graph, 1, pool, {.dropout = 1.0f}));
  Network network = Network::make(p.graph, 1, pool).value();
  EXPECT_FALSE(network.forward(p.pixels, true));
  EXPECT_FALSE(network.forward(std::span(p.pixels).first(7), true));
  const auto one = std::span(p.pixels).first(p.pixels.size() / 2);
  ASSERT_TRUE(network.forward(one, false));
  const auto untrained = network.backward(std::vector<float>(5));
  ASSERT_FALSE(untrained);
  EXPECT_NE(untrained.error().message.find("needs a forward pass in training"), std::string::npos);
  ASSERT_TRUE(network.forward(one, true));
  EXPECT_FALSE(network.backward(std::vector<float>(4)));

  GraphBuilder b("softmax", {1, 1, 3});
  const NodeId soft = b.add("soft", Softmax{}, {b.input()});
  const auto refused =
      Network::make(std::move(b).finish(b.add("pool", GlobalAveragePool{}, {soft})).value(), 1, pool);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("node \"soft\""), std::string::npos);
}

TEST(network, the_moving_average_is_one_and_comes_and_goes) {
  const Problem p = make_problem(family(kSmall), 4, 4);
  ThreadPool pool(2);
  Network network = Network::make(p.graph, 4, pool).value();
  MovingAverage average(network, 0.9);
  const auto optimizer = make_sgd(network.parameters(), {});
  std::vector<double> expected(network.values().begin(), network.values().end());
  for (int i = 1; i <= 30; ++i) {
    step(network, *optimizer, p, 0.02f, pool);
    average.update(pool);
    const double keep = std::min(0.9, (1.0 + i) / (10.0 + i));
    for (std::size_t j = 0; j < expected.size(); ++j)
      expected[j] = keep * expected[j] + (1 - keep) * double{network.values()[j]};
  }
  const auto last = copy(network.values());
  average.swap();
  EXPECT_LT(distance(network.values(), expected), 1e-4);
  EXPECT_GT(distance(network.values(), last), 1e-2);
  average.swap();
  EXPECT_EQ(copy(network.values()), last);
}

}  // namespace
}  // namespace linnet::train
