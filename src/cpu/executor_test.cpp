#include "cpu/executor.h"

#include "cpu/node_check.h"
#include "graph/families/family.h"
#include "graph/random_graph.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

TEST(executor, random_graphs_agree_with_the_reference_node_by_node_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= testing::cases(60u); ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.network(random.between(1, 9));
    const int n = random.between(1, 3);
    const auto images = random.values(static_cast<std::size_t>(n * graph.input_shape().size()), -3, 3);
    for (const Isa isa : available_isas()) {
      const int threads = random.between(1, 4);
      expect_every_node(graph, {threads, isa}, n, images,
                        fmt::format("seed {}, {}, {} threads, {} images", seed, to_string(isa), threads, n));
      if (HasFailure()) return;
    }
  }
}

TEST(executor, the_number_of_threads_changes_no_bit) {
  for (std::uint64_t seed = 100; seed < 100 + testing::cases(10u); ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.network(7);
    const auto image = random.values(static_cast<std::size_t>(graph.input_shape().size()));
    for (const Isa isa : available_isas()) {
      const std::vector<float> alone = run(*executor(graph, {1, isa}), 1, image);
      for (const int threads : {2, 3, 4, 8})
        EXPECT_EQ(run(*executor(graph, {threads, isa}), 1, image), alone)
            << "seed " << seed << ", " << to_string(isa) << ", " << threads << " threads";
    }
  }
}

TEST(executor, images_of_a_batch_come_out_as_they_do_alone_whatever_the_threads) {
  for (const char* model : {"mobilenet_v2:width=0.35,resolution=33,classes=10",
                            "mobilenet_v3_small:width=0.5,resolution=32,classes=10"}) {
    const Graph graph = build(*parse_family(model)).value();
    constexpr int kImages = 9;
    const auto size = static_cast<std::size_t>(graph.input_shape().size());
    const auto images = RandomGraph(7).values(kImages * size);
    for (const Isa isa : available_isas()) {
      std::vector<float> alone;
      const auto one = executor(graph, {1, isa});
      for (std::size_t i = 0; i < kImages; ++i) {
        const std::vector<float> scores = run(*one, 1, std::span(images).subspan(i * size, size));
        alone.insert(alone.end(), scores.begin(), scores.end());
      }
      for (int threads = 1; threads <= 8; ++threads) {
        const auto several = executor(graph, {threads, isa});
        for (const int n : {1, 2, 3, 8, kImages})
          EXPECT_EQ(run(*several, n, std::span(images).first(static_cast<std::size_t>(n) * size)),
                    std::vector<float>(alone.begin(), alone.begin() + n * 10))
              << model << ", " << to_string(isa) << ", " << threads << " threads, " << n << " images";
      }
    }
  }
}

TEST(executor, weights_that_are_let_go_of_leave_their_dimensions) {
  const Graph graph = build(*parse_family("mobilenet_v3_small:width=0.5,resolution=32,classes=10")).value();
  const auto image = RandomGraph(8).values(static_cast<std::size_t>(graph.input_shape().size()));
  const auto keeps = executor(graph, {.threads = 2});
  const auto lets_go = executor(graph, {.threads = 2, .keep_constants = false});
  EXPECT_EQ(run(*lets_go, 1, image), run(*keeps, 1, image));
  EXPECT_EQ(dump(lets_go->graph()), dump(keeps->graph()));
  EXPECT_NE(lets_go->graph(), keeps->graph());
}

TEST(executor, an_add_is_taken_over_by_the_convolution_before_it) {
  RandomGraph random(5);
  GraphBuilder b("residual", {4, 4, 8});
  Convolution op = random.convolution({4, 4, 8}, Window{}, 8);
  op.activation = Activation::kNone;
  const NodeId first = b.add("first", op, {b.input()});
  const NodeId second = b.add("second", op, {first});
  const NodeId sum = b.add("sum", Add{Activation::kRelu}, {first, second});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  const auto cpu = executor(std::move(b).finish(pool).value(), {1, Isa::kScalar});
  EXPECT_EQ(cpu->kernel_name(sum), "scalar::pointwise_f32");
  std::vector<double> microseconds(5, 0.0);
  std::vector<float> scores(8);
  ASSERT_TRUE(cpu->run_timed(random.values(128), scores, microseconds));
  EXPECT_EQ(microseconds[3], 0.0);
  EXPECT_GT(microseconds[4], 0.0);
  // `first` lives until the sum, which lies where `second` did.
  EXPECT_EQ(cpu->peak_activation_bytes(), (2 * 4 * 4 * 8 + 8) * 4);
}

TEST(executor, a_graph_of_nothing_but_its_input_copies_it) {
  GraphBuilder b("input", {1, 1, 3});
  const auto cpu = executor(std::move(b).finish(0).value(), {});
  EXPECT_EQ(run(*cpu, 2, std::vector<float>{1, 2, 3, 4, 5, 6}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(executor, wrong_sizes_and_numbers_of_threads_are_errors) {
  RandomGraph random(3);
  const Graph graph = random.network(2);
  EXPECT_FALSE(make_executor(graph, {.threads = 0}));
  EXPECT_FALSE(make_executor(graph, {.threads = 1000}));
  const auto cpu = executor(graph, {});
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  const auto ran = cpu->run(1, std::vector<float>(1), std::span(scores).first(0));
  ASSERT_FALSE(ran);
  EXPECT_NE(ran.error().message.find("were passed"), std::string::npos);
  Graph illegal = graph;
  illegal.nodes.back().shape.c += 1;
  EXPECT_FALSE(make_executor(illegal));
}

}  // namespace
}  // namespace linnet::cpu
