// Float graphs whose weights and activations are stored in 16 bits.
#include "cpu/executor.h"
#include "cpu/node_check.h"
#include "graph/families/family.h"
#include "graph/random_graph.h"
#include "support/cases.h"

namespace linnet::cpu {
namespace {

/// The kernels of each precision: those that this machine chooses, and bfloat16 where it cannot be
/// multiplied.
struct Way {
  Precision precision;
  bool multiply_bf16;
};
constexpr Way kWays[] = {{Precision::kBf16, true}, {Precision::kBf16, false}, {Precision::kFp16, true}};

std::vector<Options> all_ways(int threads) {
  std::vector<Options> result;
  for (const Isa isa : available_isas())
    for (const Way& way : kWays) {
      if (!way.multiply_bf16 && !multiplies_bf16(isa)) continue;
      result.push_back(
          {.threads = threads, .isa = isa, .precision = way.precision, .multiply_bf16 = way.multiply_bf16});
    }
  return result;
}

std::string name_of(const Options& options) {
  return fmt::format("{} {}{}, {} threads", to_string(*options.isa), to_string(*options.precision),
                     options.multiply_bf16 ? "" : " converted", options.threads);
}

/// The graph with weights so small that no value outgrows float16.
Graph tamed(Graph graph) {
  const auto shrink = [](Constant& weight, std::int64_t outputs) {
    const float factor = static_cast<float>(outputs) / static_cast<float>(weight.size());
    AlignedVector<float> values(weight.values().begin(), weight.values().end());
    for (float& v : values) v *= factor;
    weight = Constant(weight.dims(), std::move(values));
  };
  for (Node& node : graph.nodes)
    std::visit(Overloaded{[&](Convolution& op) { shrink(op.weight, node.shape.c); },
                          [&](Depthwise& op) { shrink(op.weight, node.shape.c); },
                          [&](Linear& op) { shrink(op.weight, node.shape.c); }, [](auto&) {}},
               node.op);
  return graph;
}

TEST(executor_half, random_graphs_agree_with_the_reference_node_by_node_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= testing::cases(60u); ++seed) {
    RandomGraph random(seed);
    const Graph graph = tamed(random.network(random.between(1, 9)));
    const int n = random.between(1, 3);
    const auto images = random.values(static_cast<std::size_t>(n * graph.input_shape().size()), -3, 3);
    for (const Options& options : all_ways(random.between(1, 4))) {
      expect_every_node(graph, options, n, images,
                        fmt::format("seed {}, {}, {} images", seed, name_of(options), n));
      if (HasFailure()) return;
    }
  }
}

TEST(executor_half, every_family_agrees_with_the_reference_node_by_node_on_every_isa) {
  const char* const models[] = {"mobilenet_v1:width=0.25,resolution=33,classes=10",
                                "mobilenet_v2:width=0.35,resolution=47,classes=1001",
                                "mobilenet_v3_large:width=0.75,resolution=33,classes=7",
                                "mobilenet_v3_small:width=1.0,resolution=45,classes=10",
                                "mobilenet_v4_conv_small:resolution=33,classes=10"};
  std::uint64_t seed = 1;
  for (const char* model : models) {
    const Graph graph = build(*parse_family(model)).value();
    const auto image = RandomGraph(++seed).values(static_cast<std::size_t>(graph.input_shape().size()));
    for (const Options& options : all_ways(1 + static_cast<int>(seed) % 4)) {
      expect_every_node(graph, options, 1, image, fmt::format("{}, {}", model, name_of(options)));
      if (HasFailure()) return;
    }
  }
}

TEST(executor_half, the_number_of_threads_changes_no_bit) {
  for (std::uint64_t seed = 100; seed < 100 + testing::cases(10u); ++seed) {
    RandomGraph random(seed);
    const Graph graph = random.network(7);
    const auto image = random.values(static_cast<std::size_t>(graph.input_shape().size()));
    for (Options options : all_ways(1)) {
      const std::vector<float> alone = run(*executor(graph, options), 1, image);
      for (options.threads = 2; options.threads <= 4; ++options.threads) {
        const std::vector<float> together = run(*executor(graph, options), 1, image);
        EXPECT_EQ(0, std::memcmp(alone.data(), together.data(), alone.size() * sizeof(float)))
            << "seed " << seed << ", " << name_of(options);
      }
    }
  }
}

TEST(executor_half, images_are_rounded_to_nearest_even_and_keep_what_is_no_number) {
  GraphBuilder b("input", {1, 1, 40});
  const NodeId sum = b.add("sum", Activate{Activation::kNone}, {b.input()});
  const Graph graph = std::move(b).finish(sum).value();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> image(40);
  RandomGraph random(1);
  for (float& x : image) x = random.values(1, -3, 3)[0];
  // 1 and half a unit above it, 1 unit and a half: ties to even. 65520 is infinity as float16.
  const float special[] = {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1p-11f, 1 + 0x3p-11f, 65519.0f,
                           65520.0f,    -70000.0f,   1e38f,        kInfinity,    -kInfinity,
                           0x1p-24f,    0x3p-26f,    std::nanf("")};
  std::ranges::copy(special, image.begin());
  for (const Options& options : all_ways(1)) {
    const std::vector<float> scores = run(*executor(graph, options), 1, image);
    for (std::size_t i = 0; i < image.size(); ++i) {
      const float expected = rounded(image[i], *options.precision);
      EXPECT_TRUE(scores[i] == expected || (std::isnan(scores[i]) && std::isnan(expected)))
          << name_of(options) << ": " << image[i] << " became " << scores[i] << " instead of " << expected;
    }
  }
}

TEST(executor_half, scores_are_float32_and_activations_and_weights_take_half_the_memory) {
  const Graph graph = build(*parse_family("mobilenet_v2:width=1.0,resolution=96,classes=1000")).value();
  const auto whole = executor(graph, {.fuse_above_bytes = std::int64_t{1} << 40});
  for (Options options : all_ways(1)) {
    options.fuse_above_bytes = std::int64_t{1} << 40;
    const auto half = executor(graph, options);
    EXPECT_EQ(half->precision(), *options.precision);
    EXPECT_LT(half->weight_bytes(), 0.53 * static_cast<double>(whole->weight_bytes())) << name_of(options);
    // The images are stored too, and what is gathered.
    EXPECT_LT(half->peak_activation_bytes(), 0.7 * static_cast<double>(whole->peak_activation_bytes()))
        << name_of(options);
    const auto image = RandomGraph(1).values(static_cast<std::size_t>(graph.input_shape().size()));
    const std::vector<float> scores = run(*half, 1, image);
    EXPECT_FALSE(std::ranges::all_of(scores, [&](float x) { return x == rounded(x, *options.precision); }))
        << name_of(options);
  }
}

TEST(executor_half, what_lies_behind_a_run_does_not_reach_its_sum) {
  // Five channels: behind a pixel's last pair lies the next pixel, here one that is no number.
  RandomGraph random(1);
  GraphBuilder b("odd", {1, 2, 5});
  const NodeId out = b.add("out", random.convolution({1, 2, 5}, Window{}, 3), {b.input()});
  const Graph graph = std::move(b).finish(out).value();
  auto image = random.values(10);
  std::fill(image.begin() + 5, image.end(), std::nanf(""));
  for (const Options& options : all_ways(1)) {
    const std::vector<float> scores = run(*executor(graph, options), 1, image);
    for (int i = 0; i < 3; ++i)
      EXPECT_TRUE(std::isfinite(scores[static_cast<std::size_t>(i)])) << name_of(options);
  }
}

TEST(executor_half, what_lies_below_a_depthwise_window_does_not_reach_its_sum) {
  constexpr int kRow = 9 * 16;
  RandomGraph random(1);
  for (const int kernel : {3, 5}) {
    GraphBuilder b("rows", {6, 9, 16});
    const int pad = kernel / 2;
    const Window window = {.kernel_h = kernel, .kernel_w = kernel, .padding = {pad, pad, pad, pad}};
    const NodeId out = b.add("out", random.depthwise({6, 9, 16}, window), {b.input()});
    const Graph graph = std::move(b).finish(out).value();
    auto image = random.values(6 * kRow);
    std::fill(image.begin() + (pad + 1) * kRow, image.end(), std::nanf(""));
    for (const Options& options : all_ways(1)) {
      const std::vector<float> scores = run(*executor(graph, options), 1, image);
      for (std::size_t i = 0; i < 2 * kRow; ++i)
        ASSERT_EQ(std::isfinite(scores[i]), i < kRow) << name_of(options) << ", value " << i;
    }
  }
}

TEST(executor_half, a_precision_that_the_graph_cannot_have_is_an_error) {
  const Graph graph = RandomGraph(1).network(2);
  const auto made = make_executor(graph, {.precision = Precision::kInt8});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("linnet quantize"), std::string::npos) << made.error().message;
  const auto by_pixels = make_executor(graph, {.precision = Precision::kBf16, .one_stage = true});
  ASSERT_FALSE(by_pixels);
  EXPECT_NE(by_pixels.error().message.find("float32 or int8"), std::string::npos)
      << by_pixels.error().message;
}

}  // namespace
}  // namespace linnet::cpu
