#include "graph/families/family.h"
#include "train/compare.h"
#include "train/constants.h"
#include "train/gradient_buckets.h"
#include "train/initialise.h"
#include "train/optimizer.h"
#include "train/threads_job.h"

namespace linnet::train {
namespace {

constexpr const char* kV1 = "mobilenet_v1:width=0.25,resolution=32,classes=5";
constexpr const char* kV3 = "mobilenet_v3_small:width=0.35,resolution=32,classes=5";

Problem problem(const char* model, int images, std::uint64_t seed) {
  return make_problem(initialise(build(*parse_family(model)).value(), Initialisation::kHeFanOut, 1), images,
                      seed);
}

/// This rank's part.
template <class T>
std::span<const T> part_of(Collective& job, std::span<const T> all) {
  const std::size_t each = all.size() / static_cast<std::size_t>(job.size());
  return all.subspan(static_cast<std::size_t>(job.rank()) * each, each);
}

/// A forward and a backward pass over this rank's part of the batch; its part of the mean loss.
double pass(Network& network, const Problem& p, Collective& job) {
  const auto scores = network.forward(part_of<float>(job, p.pixels), true).value();
  std::vector<float> d_scores(scores.size());
  const Loss loss = softmax_cross_entropy(scores, part_of<float>(job, p.targets), p.graph.output_shape().c,
                                          d_scores, job.size());
  EXPECT_TRUE(network.backward(d_scores));
  return loss.mean;
}

struct Path {
  std::vector<double> losses;
  std::vector<float> values, statistics;  ///< after the last step
};

/// A few steps over the same batch.
Path train(const Problem& p, Collective& job, int steps, int threads = 1) {
  ThreadPool pool(threads);
  Network network =
      Network::make(p.graph, p.images, pool, {.dropout = 0.2f, .job = &job, .sync_norms = true}).value();
  const auto optimizer = make_sgd(network.parameters(), {.momentum = 0.9f, .weight_decay = 1e-4f});
  Path path;
  for (int step = 0; step < steps; ++step) {
    double loss = pass(network, p, job);
    sum(job, std::span(&loss, 1));
    path.losses.push_back(loss);
    optimizer->step(0.03f, pool);

    std::vector<double> bits;
    for (const auto values : {network.values(), network.statistics()})
      bits.insert(bits.end(), values.begin(), values.end());
    std::vector<double> all(bits.size() * static_cast<std::size_t>(job.size()));
    job.gather(bits, all);
    for (std::size_t i = 0; i < all.size(); i += bits.size())
      EXPECT_TRUE(std::ranges::equal(bits, std::span(all).subspan(i, bits.size()))) << "after step " << step;
  }
  path.values.assign(network.values().begin(), network.values().end());
  path.statistics.assign(network.statistics().begin(), network.statistics().end());
  return path;
}

/// The same problem with weights that are off by their last bit or less.
Problem rounded_otherwise(const Problem& p, std::uint64_t seed) {
  Problem other = p;
  Random random(seed);
  for (Node& node : other.graph.nodes)
    for_each_constant(node.op, [&](Constant& constant, Role, const char*) {
      AlignedVector<float> values(constant.values().begin(), constant.values().end());
      for (float& value : values) value *= 1 + 0x1p-23f * random.uniform(-1, 1);
      constant = Constant(constant.dims(), std::move(values));
    });
  return other;
}

TEST(data_parallel, with_sync_norms_the_loss_path_is_that_of_one_process) {
  // V3's hard-swish is smooth nearly everywhere; among V1's a ReLU6 soon stands so near to its kink that
  // rounding decides its gradient.
  for (const auto& [model, steps] : {std::pair(kV3, 20), {kV1, 2}}) {
    const Problem p = problem(model, 24, 8);
    Alone alone;
    const Path one = train(p, alone, steps);
    EXPECT_LT(one.losses.back(), (steps > 2 ? 0.95 : 1.0) * one.losses.front()) << model;
    // How far rounding alone takes the path, up to each step.
    const auto count = static_cast<std::size_t>(steps);
    std::vector<double> apart(count, 0.0);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Path twin = train(rounded_otherwise(p, seed), alone, steps);
      for (std::size_t i = 0; i < count; ++i)
        apart[i] = std::max({apart[i], i > 0 ? apart[i - 1] : 0.0, std::abs(twin.losses[i] - one.losses[i])});
    }
    for (const int ranks : {2, 3}) {
      ThreadsJob(ranks).run([&](Collective& job) {
        const Path path = train(p, job, steps, job.size() == 2 ? 2 : 1);
        for (std::size_t i = 0; i < count; ++i)
          EXPECT_NEAR(path.losses[i], one.losses[i], 8 * apart[i] + 1e-7)
              << model << ", " << ranks << " ranks, step " << i;
      });
    }
  }
}

TEST(data_parallel, with_norms_of_their_own_gradients_are_the_mean_of_the_ranks) {
  const Problem p = problem(kV3, 8, 3);
  // Halving is exact, so the sum is too.
  ThreadsJob(2).run([&](Collective& job) {
    ThreadPool pool(1);
    Network network = Network::make(p.graph, 4, pool, {.job = &job}).value();
    pass(network, p, job);
    std::vector<float> expected(network.gradients().size(), 0.0f);
    for (std::size_t half = 0; half < 2; ++half) {
      Network alone = Network::make(p.graph, 4, pool).value();
      const auto scores =
          alone.forward(std::span(p.pixels).subspan(half * p.pixels.size() / 2, p.pixels.size() / 2), true)
              .value();
      std::vector<float> d_scores(scores.size());
      softmax_cross_entropy(scores, std::span(p.targets).subspan(half * scores.size(), scores.size()), 5,
                            d_scores);
      ASSERT_TRUE(alone.backward(d_scores));
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += 0.5f * alone.gradients()[i];
    }
    EXPECT_TRUE(std::ranges::equal(network.gradients(), expected));
  });
}

TEST(data_parallel, moments_of_the_ranks_are_joined_exactly) {
  Random random(4);
  std::vector<double> values(60);
  for (double& value : values) value = 1e6 + random.uniform(-1, 1);
  const auto moments = [](std::span<const double> part) {
    double mean = 0, squares = 0;
    for (const double value : part) mean += value / static_cast<double>(part.size());
    for (const double value : part) squares += (value - mean) * (value - mean);
    return std::pair(mean, squares);
  };
  const auto [mean, squares] = moments(values);
  ThreadsJob(3).run([&](Collective& job) {
    // 10, 20 and 30 values.
    const auto r = static_cast<std::size_t>(job.rank());
    auto [m, s] = moments(std::span(values).subspan(5 * r * (r + 1), 10 * (r + 1)));
    const double count =
        join_moments(job, 10 * static_cast<double>(r + 1), std::span(&m, 1), std::span(&s, 1));
    EXPECT_EQ(count, 60);
    EXPECT_NEAR(m, mean, 1e-9);
    EXPECT_NEAR(s, squares, 1e-8);
  });
}

/// Notes which sums are begun, and when all are waited for.
class Recorder final : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 2; }
  void gather(std::span<const double>, std::span<double>) override {}
  void start_sum(std::span<float> values) override { begun.push_back(values); }
  void finish_sums() override { ++finished; }
  void broadcast(std::span<float>) override {}

  std::vector<std::span<float>> begun;
  int finished = 0;
};

TEST(data_parallel, a_bucket_is_summed_as_soon_as_its_last_gradient_is_final) {
  AlignedVector<float> arena(100);
  std::vector<std::span<float>> parts;
  for (const auto& [begin, size] : {std::pair(0, 10), {16, 30}, {48, 1}, {64, 16}, {80, 3}})
    parts.push_back(
        std::span(arena).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size)));
  Recorder job;
  GradientBuckets buckets(arena, parts, job, 40 * sizeof(float));
  // Buckets: [0, 48), [48, 100).
  for (int pass = 1; pass <= 2; ++pass) {
    job.begun.clear();
    buckets.done(parts[4]);
    buckets.done(parts[3]);
    EXPECT_TRUE(job.begun.empty());
    buckets.done(parts[2]);
    ASSERT_EQ(job.begun.size(), 1u);
    EXPECT_EQ(job.begun[0].data(), arena.data() + 48);
    EXPECT_EQ(job.begun[0].size(), 52u);
    buckets.done(parts[1]);  // and part 0 has no gradient in this pass
    EXPECT_EQ(job.begun.size(), 1u);
    buckets.finish();
    ASSERT_EQ(job.begun.size(), 2u);
    EXPECT_EQ(job.begun[1].data(), arena.data());
    EXPECT_EQ(job.begun[1].size(), 48u);
    EXPECT_EQ(job.finished, pass);
  }
  job.begun.clear();
  buckets.done(parts[0]);
  buckets.finish();
  EXPECT_EQ(job.begun.size(), 1u) << "nothing of the other is new";

  job.begun.clear();
  GradientBuckets behind_frozen(arena, std::span(parts).subspan(3), job, 40 * sizeof(float));
  behind_frozen.done(parts[4]);
  behind_frozen.done(parts[3]);
  ASSERT_EQ(job.begun.size(), 1u);
  EXPECT_EQ(job.begun[0].data(), arena.data() + 64);
}

TEST(data_parallel, most_of_a_networks_gradients_are_under_way_before_its_backward_pass_is_over) {
  const Problem p = problem("mobilenet_v1:width=0.5,resolution=32,classes=5", 4, 3);
  Recorder job;
  ThreadPool pool(1);
  Network network = Network::make(p.graph, 4, pool, {.job = &job}).value();
  pass(network, p, job);
  EXPECT_EQ(job.finished, 1);
  ASSERT_GE(job.begun.size(), 3u);
  std::size_t total = 0;
  for (const auto& values : job.begun) total += values.size();
  EXPECT_EQ(total, network.gradients().size());
  EXPECT_EQ(job.begun.back().data(), network.gradients().data());
  EXPECT_LT(job.begun.back().size() * sizeof(float), std::size_t{5} << 18)
      << "what the last layer holds back";
}

}  // namespace
}  // namespace linnet::train
