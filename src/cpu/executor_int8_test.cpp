// int8 is equal, byte for byte, at every node: reference, every ISA, any number of threads, fused and
// unfused.
#include <map>
#include <mutex>

#include "cpu/node_check.h"
#include "cpu/random_int8_graph.h"
#include "graph/families/family.h"
#include "reference/int8.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

/// The stored values behind real ones.
AlignedVector<std::int8_t> stored(std::span<const float> real, const Quantization& q) {
  AlignedVector<std::int8_t> values;
  for (const float v : real)
    values.push_back(static_cast<std::int8_t>(std::lround(v / q.scale) + q.zero_point));
  return values;
}

std::string first_difference(std::span<const std::int8_t> expected, std::span<const std::int8_t> actual) {
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (expected[i] != actual[i])
      return fmt::format("value {} of {} is {}, the reference gives {}", i, expected.size(), actual[i],
                         expected[i]);
  return "";
}

/// The first node at which the executor's stored values part from those of the reference's own run of
/// `graph`, or "".
std::string first_layer_that_differs(const Graph& graph, CpuExecutor& cpu, std::span<const float> image) {
  std::vector<AlignedVector<std::int8_t>> expected;
  reference::Interpreter interpreter(graph);
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  EXPECT_TRUE(interpreter.run(1, image, scores, [&](const Node& node, std::span<const float> v) {
    expected.push_back(stored(v, *node.quantization));
  }));
  std::string name;
  std::size_t at = 0;
  run(cpu, 1, image, [&](const Node& node, std::span<const float> v) {
    if (name.empty() && stored(v, *node.quantization) != expected[at]) name = node.name;
    ++at;
  });
  return name;
}

/// Which operators which kernels computed.
std::map<std::pair<std::string, std::string>, int>& coverage() {
  static std::map<std::pair<std::string, std::string>, int> seen;
  return seen;
}

void expect_every_node_equal(const Graph& graph, Options options, int n, std::span<const float> images,
                             const std::string& replay) {
  const auto cpu = executor(graph, options);
  ASSERT_TRUE(cpu) << replay;
  std::vector<AlignedVector<std::int8_t>> outputs;
  const auto count = static_cast<std::size_t>(n);
  const Observer observer = [&](const Node& node, std::span<const float> values) {
    const auto id = static_cast<NodeId>(outputs.size());
    outputs.push_back(stored(values, *node.quantization));
    if (id == 0) {
      ASSERT_EQ(first_difference(reference::quantize_image(images, *node.quantization), outputs[0]), "")
          << replay << ", the input";
      return;
    }
    ++coverage()[{std::string(op_name(node.op)), std::string(cpu->kernel_name(id))}];
    for (std::size_t image = 0; image < count; ++image) {
      std::vector<std::span<const std::int8_t>> inputs;
      for (const NodeId input : node.inputs) {
        const auto size = static_cast<std::size_t>(cpu->graph()[input].shape.size());
        inputs.push_back(std::span<const std::int8_t>(outputs[static_cast<std::size_t>(input)])
                             .subspan(image * size, size));
      }
      const auto size = static_cast<std::size_t>(node.shape.size());
      const std::string wrong =
          first_difference(reference::compute_int8(cpu->graph(), id, inputs),
                           std::span<const std::int8_t>(outputs.back()).subspan(image * size, size));
      ASSERT_EQ(wrong, "") << replay << ", node " << node.name << " by " << cpu->kernel_name(id) << '\n'
                           << dump(cpu->graph());
    }
  };
  const std::vector<float> observed = run(*cpu, n, images, observer);
  EXPECT_EQ(outputs.size(), cpu->graph().nodes.size()) << replay;
  EXPECT_EQ(run(*cpu, n, images), observed) << replay << '\n' << dump(cpu->graph());
  options.fuse_above_bytes = 0;
  EXPECT_EQ(run(*executor(graph, options), n, images), observed) << replay << ", fused\n"
                                                                 << dump(cpu->graph());
}

TEST(executor_int8, random_graphs_equal_the_reference_at_every_node_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= testing::cases(200u); ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(random.between(1, 9));
    const auto size = static_cast<std::size_t>(source.input_shape().size());
    const int n = random.between(1, 2);
    const auto images = random.values(static_cast<std::size_t>(n) * size, -3, 3);
    RandomInt8 int8(random, seed % 2 == 0 ? 12 : 0);
    const Graph graph = int8(source, std::span(images).first(size));
    ASSERT_TRUE(validate(graph)) << "seed " << seed << ": " << validate(graph).error().message;
    for (const Isa isa : available_isas()) {
      const int threads = random.between(1, 4);
      expect_every_node_equal(
          graph, {threads, isa}, n, images,
          fmt::format("seed {}, {}, {} threads, {} images", seed, to_string(isa), threads, n));
      if (HasFailure()) return;
    }
  }
  for (const auto& [what, times] : coverage())
    fmt::print("{:<22} by {:<40} {:5} times\n", what.first, what.second, times);
}

TEST(executor_int8, every_family_equals_the_reference_at_every_node_on_every_isa) {
  const char* const models[] = {"mobilenet_v1:width=0.25,resolution=33,classes=10",
                                "mobilenet_v1:width=0.5,resolution=32,classes=7",
                                "mobilenet_v1:width=1.0,resolution=32,classes=10",
                                "mobilenet_v2:width=0.35,resolution=47,classes=10",
                                "mobilenet_v2:width=0.75,resolution=32,classes=10",
                                "mobilenet_v2:width=1.0,resolution=32,classes=100",
                                "mobilenet_v3_large:width=0.35,resolution=33,classes=7",
                                "mobilenet_v3_large:width=0.75,resolution=32,classes=7",
                                "mobilenet_v3_large:width=1.0,resolution=32,classes=10",
                                "mobilenet_v3_small:width=0.35,resolution=45,classes=10",
                                "mobilenet_v3_small:width=0.75,resolution=32,classes=10",
                                "mobilenet_v3_small:width=1.0,resolution=32,classes=10",
                                "mobilenet_v4_conv_small:width=0.35,resolution=33,classes=10",
                                "mobilenet_v4_conv_small:width=1.0,resolution=32,classes=10",
                                "mobilenet_v4_conv_medium:width=0.5,resolution=32,classes=10"};
  std::uint64_t seed = 1;
  for (const char* model : models) {
    const Graph source = build(*parse_family(model)).value();
    RandomGraph random(++seed);
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
    const Graph graph = RandomInt8(random, 0)(source, image);
    for (const Isa isa : available_isas()) {
      const int threads = 1 + static_cast<int>(seed + static_cast<std::uint64_t>(isa)) % 4;
      expect_every_node_equal(graph, {threads, isa}, 1, image,
                              fmt::format("{}, {}, {} threads", model, to_string(isa), threads));
      if (HasFailure()) return;
    }
  }
}

TEST(executor_int8, the_number_of_threads_changes_no_bit) {
  for (std::uint64_t seed = 300; seed < 300 + testing::cases(10u); ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(7);
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
    const Graph graph = RandomInt8(random, 5)(source, image);
    for (const Isa isa : available_isas()) {
      const std::vector<float> alone = run(*executor(graph, {1, isa}), 1, image);
      for (const int threads : {2, 3, 4, 8})
        EXPECT_EQ(run(*executor(graph, {threads, isa}), 1, image), alone)
            << "seed " << seed << ", " << to_string(isa) << ", " << threads << " threads";
    }
  }
}

TEST(executor_int8, one_weight_one_shift_or_one_zero_point_changed_is_found_and_named) {
  const Graph source = build(*parse_family("mobilenet_v2:width=0.35,resolution=32,classes=10")).value();
  RandomGraph random(77);
  const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()));
  const Graph graph = RandomInt8(random, 0)(source, image);
  const auto layer = [](Graph& g) {
    NodeId found = 0;
    for (NodeId id = 0; id < g.size(); ++id)
      if (std::holds_alternative<Convolution>(g[id].op) && id > 5) {
        found = id;
        break;
      }
    return found;
  };
  EXPECT_EQ(first_layer_that_differs(graph, *executor(graph, {}), image), "");

  Graph weight = graph;
  const NodeId id = layer(weight);
  auto& op = std::get<Convolution>(weight[id].op);
  AlignedVector<std::int8_t> weights(op.weight.values<std::int8_t>().begin(),
                                     op.weight.values<std::int8_t>().end());
  weights[weights.size() / 2] = static_cast<std::int8_t>(weights[weights.size() / 2] > 0 ? -127 : 127);
  op.weight = Constant(op.weight.dims(), std::move(weights));
  EXPECT_EQ(first_layer_that_differs(graph, *executor(weight, {}), image), graph[id].name);

  Graph shift = graph;
  auto& shifted = std::get<Convolution>(shift[id].op);
  AlignedVector<float> scales(shifted.weight_scale.values().begin(), shifted.weight_scale.values().end());
  scales[0] *= 2;
  shifted.weight_scale = Constant(shifted.weight_scale.dims(), std::move(scales));
  EXPECT_EQ(first_layer_that_differs(graph, *executor(shift, {}), image), graph[id].name);

  Graph zero_point = graph;
  zero_point[id].quantization->zero_point += zero_point[id].quantization->zero_point < 127 ? 1 : -1;
  EXPECT_EQ(first_layer_that_differs(graph, *executor(zero_point, {}), image), graph[id].name);
}

TEST(executor_int8, an_activate_and_an_add_are_taken_over_by_the_layer_before_them) {
  RandomGraph random(5);
  GraphBuilder b("takeover", {4, 4, 8});
  Convolution op = random.convolution({4, 4, 8}, Window{}, 8);
  op.activation = Activation::kHardSwish;
  const NodeId first = b.add("first", op, {b.input()});
  op.activation = Activation::kNone;
  const NodeId second = b.add("second", op, {first});
  const NodeId sum = b.add("sum", Add{Activation::kRelu}, {first, second});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  const auto image = random.values(128);
  const Graph graph = RandomInt8(random, 0)(std::move(b).finish(pool).value(), image);
  const auto cpu = executor(graph, {1, Isa::kScalar});
  ASSERT_EQ(graph[1].name, "first.pre");
  EXPECT_EQ(cpu->kernel_name(2), "scalar::pointwise_s8");
  EXPECT_EQ(cpu->kernel_name(4), "scalar::pointwise_s8");
}

TEST(executor_int8, a_graph_of_nothing_but_its_input_rounds_it) {
  GraphBuilder b("input", {1, 1, 3});
  b.quantize(0, {0.5f, 1});
  const auto cpu = executor(std::move(b).finish(0).value(), {});
  EXPECT_EQ(run(*cpu, 1, std::vector<float>{0.6f, -1, 1000}), (std::vector<float>{0.5f, -1, 63}));
}

TEST(executor_int8, images_of_a_batch_come_out_as_they_do_alone_whatever_the_threads) {
  for (std::uint64_t seed = 400; seed < 404; ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(7);
    constexpr int kImages = 9;
    const auto size = static_cast<std::size_t>(source.input_shape().size());
    const auto images = random.values(kImages * size);
    const Graph graph = RandomInt8(random, 5)(source, std::span(images).first(size));
    std::vector<float> alone;
    const auto one = executor(graph, {});
    for (std::size_t i = 0; i < kImages; ++i) {
      const std::vector<float> scores = run(*one, 1, std::span(images).subspan(i * size, size));
      alone.insert(alone.end(), scores.begin(), scores.end());
    }
    for (int threads = 1; threads <= 8; ++threads) {
      const auto several = executor(graph, {.threads = threads});
      EXPECT_EQ(run(*several, kImages, images), alone) << "seed " << seed << ", " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
