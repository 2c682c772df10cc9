#include "cpu/executor.h"

#include <gtest/gtest.h>

#include "cpu/error_bound.h"
#include "cpu/random_graph.h"
#include "graph/families/family.h"

namespace linnet::cpu {
namespace {

std::unique_ptr<CpuExecutor> executor(const Graph& graph, Options options) {
  auto made = make_executor(graph, options);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? std::move(*made) : nullptr;
}

std::vector<float> run(CpuExecutor& executor, int n, std::span<const float> images,
                       const Observer& observer = {}) {
  std::vector<float> scores(static_cast<std::size_t>(n * executor.graph().output_shape().size()));
  const auto ran = executor.run(n, images, scores, observer);
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return scores;
}

/// Checks every node of n images against the reference, computed from the executor's own inputs to that node,
/// so that errors do not add up.
void expect_every_node(const Graph& graph, Options options, int n, std::span<const float> images,
                       const std::string& replay) {
  const auto cpu = executor(graph, options);
  ASSERT_TRUE(cpu);
  std::vector<std::vector<float>> outputs;
  const Observer observer = [&](const Node& node, std::span<const float> values) {
    const auto count = static_cast<std::size_t>(n);
    outputs.emplace_back(values.begin(), values.end());
    ASSERT_EQ(values.size(), count * static_cast<std::size_t>(node.shape.size())) << replay;
    if (outputs.size() == 1) return;
    for (std::size_t image = 0; image < count; ++image) {
      std::vector<Shape> shapes;
      std::vector<std::span<const float>> inputs;
      for (const NodeId input : node.inputs) {
        const auto size = static_cast<std::size_t>(cpu->graph()[input].shape.size());
        shapes.push_back(cpu->graph()[input].shape);
        inputs.push_back(
            std::span<const float>(outputs[static_cast<std::size_t>(input)]).subspan(image * size, size));
      }
      const auto size = static_cast<std::size_t>(node.shape.size());
      const std::string wrong =
          first_violation(expect_node(node, shapes, inputs), values.subspan(image * size, size));
      ASSERT_EQ(wrong, "") << replay << ", node " << node.name << " by "
                           << cpu->kernel_name(static_cast<NodeId>(outputs.size()) - 1) << '\n'
                           << dump(cpu->graph());
    }
  };
  const std::vector<float> observed = run(*cpu, n, images, observer);
  EXPECT_EQ(outputs.size(), cpu->graph().nodes.size()) << replay;
  // Residual Adds are taken over here, and memory is reused: not one bit may change; nor where every
  // depthwise layer runs a few rows at a time together with the convolutions around it.
  EXPECT_EQ(run(*cpu, n, images), observed) << replay;
  options.fuse_above_bytes = 0;
  EXPECT_EQ(run(*executor(graph, options), n, images), observed) << replay << ", fused";
}

TEST(executor, random_graphs_agree_with_the_reference_node_by_node_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
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
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
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

TEST(executor, every_family_agrees_with_the_reference_node_by_node_on_every_isa) {
  // Odd resolutions: every stride meets an odd row somewhere.
  const char* const models[] = {"mobilenet_v1:width=0.25,resolution=33,classes=10",
                                "mobilenet_v1:width=0.75,resolution=32,classes=1001",
                                "mobilenet_v2:width=0.35,resolution=47,classes=10",
                                "mobilenet_v2:width=1.0,resolution=32,classes=1000",
                                "mobilenet_v3_large:width=0.75,resolution=33,classes=7",
                                "mobilenet_v3_small:width=1.0,resolution=45,classes=10",
                                "mobilenet_v4_conv_small:resolution=33,classes=10",
                                "mobilenet_v4_conv_medium:resolution=32,classes=10"};
  std::uint64_t seed = 1;
  for (const char* model : models) {
    const Graph graph = build(*parse_family(model)).value();
    const auto image = RandomGraph(++seed).values(static_cast<std::size_t>(graph.input_shape().size()));
    for (const Isa isa : available_isas()) {
      const int threads = 1 + static_cast<int>(seed + static_cast<std::uint64_t>(isa)) % 4;
      expect_every_node(graph, {threads, isa}, 1, image,
                        fmt::format("{}, {}, {} threads", model, to_string(isa), threads));
      if (HasFailure()) return;
    }
  }
}

TEST(executor, fused_layers_are_never_stored_whole) {
  const Graph graph = build(*parse_family("mobilenet_v2:width=1.0,resolution=96,classes=10")).value();
  const auto whole = executor(graph, {.fuse_above_bytes = std::int64_t{1} << 40});
  const auto fused = executor(graph, {.fuse_above_bytes = 0});
  // features.2 expands 48x48x16 to 48x48x96.
  EXPECT_GE(whole->peak_activation_bytes(), 48 * 48 * (96 + 16) * 4);
  EXPECT_LT(fused->peak_activation_bytes(), 48 * 48 * 96 * 4);
  // Each node of a fused segment has a time of its own.
  std::vector<double> microseconds;
  microseconds.resize(fused->graph().nodes.size(), 0.0);
  std::vector<float> scores(10);
  ASSERT_TRUE(fused->run_timed(std::vector<float>(96 * 96 * 3), scores, microseconds));
  for (NodeId id = 1; id < fused->graph().size(); ++id)
    if (!std::holds_alternative<Add>(fused->graph()[id].op)) {
      EXPECT_GT(microseconds[static_cast<std::size_t>(id)], 0) << fused->graph()[id].name;
    }
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
