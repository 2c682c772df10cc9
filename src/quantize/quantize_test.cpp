// From a float graph to an int8 graph: small networks that hold every operator, and every family.
#include "quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "quantize/equalise.h"
#include "quantize/page.h"
#include "quantize/run.h"
#include "reference/interpreter.h"
#include "support/graph.h"

namespace linnet::quantize {
namespace {

using ::testing::ElementsAre;
using testing::find_node;
using ::testing::HasSubstr;

Graph family(const std::string& name) {
  const auto config = parse_family(name);
  EXPECT_TRUE(config) << config.error().message;
  return *build(*config);
}

/// Small enough to be quantized in a moment: squeeze-and-excite, hard-swish, relu, residuals.
Graph small_v3() { return family("mobilenet_v3_small:width=0.5,resolution=32,classes=10"); }

Quantized quantized(const Graph& graph, const Options& options = {}) {
  auto result = to_int8(graph, noise_images(graph.input_shape(), 1), options);
  EXPECT_TRUE(result) << result.error().message;
  return *std::move(result);
}

std::vector<double> decibels(const Quantized& q) {
  auto result = signal_to_noise(q, noise_images(q.graph.input_shape(), 1));
  EXPECT_TRUE(result);
  return *result;
}

/// conv (relu6) -> depthwise (relu) -> conv -> pad -> pool -> linear -> softmax, in random weights.
Graph chain(Activation first = Activation::kRelu6) {
  Random random(3);
  const auto values = [&](std::vector<int> dims, float magnitude) {
    std::size_t size = 1;
    for (const int d : dims) size *= static_cast<std::size_t>(d);
    AlignedVector<float> v(size);
    for (float& x : v) x = random.uniform(-magnitude, magnitude);
    return Constant(dims, std::move(v));
  };
  GraphBuilder builder("chain", {9, 9, 3});
  const NodeId a = builder.add("a",
                               Convolution{.window = {.kernel_h = 3, .kernel_w = 3},
                                           .weight = values({8, 3, 3, 3}, 0.4f),
                                           .bias = values({8}, 0.2f),
                                           .activation = first},
                               {0});
  const NodeId b = builder.add("b",
                               Depthwise{.window = {.kernel_h = 3, .kernel_w = 3},
                                         .weight = values({3, 3, 8}, 0.4f),
                                         .bias = values({8}, 0.2f),
                                         .activation = Activation::kRelu},
                               {a});
  const NodeId c = builder.add("c", Convolution{.window = {}, .weight = values({6, 1, 1, 8}, 0.5f)}, {b});
  const NodeId pad = builder.add("pad", Pad{{1, 1, 0, 0}}, {c});
  const NodeId pool = builder.add("pool", GlobalAveragePool{}, {pad});
  const NodeId fc =
      builder.add("fc", Linear{.weight = values({4, 6}, 0.5f), .bias = values({4}, 0.2f)}, {pool});
  auto graph = std::move(builder).finish(builder.add("softmax", Softmax{}, {fc}));
  EXPECT_TRUE(graph) << graph.error().message;
  graph->labels = {"w", "x", "y", "z"};
  graph->preprocessing = huggingface_preprocessing(9);
  graph->dialect = Dialect::kHuggingFace;
  return *std::move(graph);
}

TEST(quantize, an_int8_graph_keeps_names_labels_and_preprocessing_and_loses_its_softmax) {
  const Graph graph = chain();
  const Quantized q = quantized(graph);
  ASSERT_TRUE(validate(q.graph));
  EXPECT_TRUE(is_int8(q.graph));
  std::vector<std::string> names;
  for (const Node& node : q.graph.nodes) names.push_back(node.name);
  EXPECT_THAT(names, ElementsAre("input", "a", "b", "c", "pad", "pool", "fc"));
  EXPECT_THAT(q.layers, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(q.graph.labels, graph.labels);
  EXPECT_EQ(q.graph.preprocessing, graph.preprocessing);
  EXPECT_EQ(q.graph.dialect, graph.dialect);
}

TEST(quantize, a_pad_shares_the_quantization_of_its_input_and_relu_starts_at_zero) {
  const Quantized q = quantized(chain());
  EXPECT_EQ(find_node(q.graph, "pad")->quantization, find_node(q.graph, "c")->quantization);
  EXPECT_EQ(find_node(q.graph, "a")->quantization->zero_point, -128);
  EXPECT_EQ(find_node(q.graph, "b")->quantization->zero_point, -128);
  EXPECT_LE(255 * find_node(q.graph, "a")->quantization->scale, 6.0001f);
}

TEST(quantize, the_input_covers_all_that_pictures_can_have) {
  Graph graph = chain();
  const std::vector<Image> dark(4, Image(static_cast<std::size_t>(graph.input_shape().size()), -0.75f));
  const Quantization q = *to_int8(graph, dark)->graph[0].quantization;
  EXPECT_LE((-128 - q.zero_point) * q.scale, -1);
  EXPECT_GE((127 - q.zero_point) * q.scale, 1);
}

TEST(quantize, hard_swish_and_hard_sigmoid_leave_their_layers_and_keep_the_names) {
  const Graph whole = canonical(small_v3());
  const Quantized q = quantized(whole);
  const Node* activate = find_node(q.graph, "features.0.0");
  ASSERT_TRUE(activate && std::holds_alternative<Activate>(activate->op));
  EXPECT_EQ(std::get<Activate>(activate->op).activation, Activation::kHardSwish);
  const Node& pre = q.graph[activate->inputs[0]];
  EXPECT_EQ(pre.name, "features.0.0.pre");
  EXPECT_GE((-128 - pre.quantization->zero_point) * pre.quantization->scale, -3.1f) << "below -3 all is 0";
  EXPECT_EQ(q.layers.size() + 1, whole.nodes.size());
  for (const NodeId id : q.layers) EXPECT_TRUE(find_node(whole, q.graph[id].name)) << q.graph[id].name;
}

TEST(quantize, splitting_activations_changes_no_score_and_is_undone_by_fusing) {
  const Graph whole = canonical(small_v3());
  const Graph split = split_activation(whole);
  EXPECT_GT(split.size(), whole.size());
  const std::vector<float> image = testing::noise(whole.input_shape(), 5);
  reference::Interpreter a(whole), b(split);
  EXPECT_THAT(testing::scores_of(a, image),
              ::testing::Pointwise(::testing::FloatNear(1e-5f), testing::scores_of(b, image)));
  EXPECT_EQ(fuse_activation(split).nodes.size(), whole.nodes.size());
}

TEST(quantize, every_channel_of_every_family_keeps_its_bounds_and_most_of_the_signal) {
  for (const char* name : {"mobilenet_v1:width=0.5", "mobilenet_v2:width=0.5", "mobilenet_v3_large:width=0.5",
                           "mobilenet_v3_small:width=0.5", "mobilenet_v4_conv_small:width=0.5",
                           "mobilenet_v4_conv_medium:width=0.25"}) {
    SCOPED_TRACE(name);
    const Quantized q = quantized(family(std::string(name) + ",resolution=48,classes=20"));
    const auto valid = validate(q.graph);
    EXPECT_TRUE(valid) << valid.error().message;
    for (NodeId id = 1; id < q.graph.size(); ++id)
      if (layer_weights(q.graph[id].op)) {
        EXPECT_TRUE(integer_layer(q.graph, id).exact_in_float()) << q.graph[id].name;
      }
    EXPECT_GE(median_decibels(q, decibels(q)), 25);
    EXPECT_TRUE(widened_grids(q.graph).empty());
  }
}

TEST(quantize, a_channel_that_dwarfs_its_neighbours_is_named) {
  Graph graph = chain();
  auto& first = std::get<Convolution>(graph[1].op);
  AlignedVector<float> weights(first.weight.values().begin(), first.weight.values().end());
  const std::size_t taps = weights.size() / 8;
  for (std::size_t i = 3 * taps; i < 4 * taps; ++i) weights[i] *= 1e5f;
  first.weight = Constant(first.weight.dims(), std::move(weights));
  const Quantized q = quantized(graph);
  const std::vector<WidenedGrid> found = widened_grids(q.graph);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(q.graph[found[0].layer].name, "a");
  EXPECT_EQ(found[0].channel, 3);
  EXPECT_GT(find_node(q.graph, "a")->quantization->scale, 3 * 6 / 255.0) << "relu6 alone would ask for less";
}

/// The stored values that an observer's real ones stand for.
AlignedVector<std::int8_t> stored(std::span<const float> values, const Quantization& q) {
  AlignedVector<std::int8_t> result;
  for (const float v : values)
    result.push_back(static_cast<std::int8_t>(std::lround(v / q.scale) + q.zero_point));
  return result;
}

TEST(quantize, float_kernels_compute_the_integers_of_the_reference) {
  const Quantized q = quantized(small_v3());
  std::vector<AlignedVector<std::int8_t>> outputs;
  reference::Interpreter interpreter(q.graph);
  std::vector<float> scores(static_cast<std::size_t>(q.graph.output_shape().size()));
  ASSERT_TRUE(interpreter.run(1, testing::noise(q.graph.input_shape(), 9), scores,
                              [&](const Node& node, std::span<const float> values) {
                                outputs.push_back(stored(values, *node.quantization));
                              }));
  for (NodeId id = 1; id < q.graph.size(); ++id) {
    if (!layer_weights(q.graph[id].op)) continue;
    const NodeId input = q.graph[id].inputs[0];
    auto layer = LayerRun::make(q.graph, id);
    ASSERT_TRUE(layer);
    const auto accumulators =
        layer->run(outputs[static_cast<std::size_t>(input)], q.graph[input].quantization->zero_point);
    ASSERT_TRUE(accumulators);
    EXPECT_EQ(requantize(integer_layer(q.graph, id), *accumulators), outputs[static_cast<std::size_t>(id)])
        << q.graph[id].name;
  }
}

TEST(quantize, the_result_depends_on_neither_threads_nor_isa) {
  const Graph graph = small_v3();
  const Graph one = quantized(graph).graph;
  EXPECT_EQ(quantized(graph, {.threads = 2}).graph, one);
  EXPECT_EQ(quantized(graph, {.threads = 5}).graph, one);
  ASSERT_EQ(setenv("LINNET_ISA", "scalar", 1), 0);
  EXPECT_EQ(quantized(graph).graph, one);
  unsetenv("LINNET_ISA");
}

/// Node by node, as one sequence of values.
std::vector<float> everything(const Graph& graph, const std::vector<float>& image, cpu::Isa isa) {
  auto executor = cpu::make_executor(graph, {.threads = 1, .isa = isa});
  EXPECT_TRUE(executor);
  std::vector<float> values, scores(static_cast<std::size_t>(graph.output_shape().size()));
  EXPECT_TRUE((*executor)->run(1, image, scores, [&](const Node& node, std::span<const float> output) {
    if (layer_weights(node.op) || std::holds_alternative<Input>(node.op))
      values.insert(values.end(), output.begin(), output.end());
  }));
  return values;
}

TEST(quantize, layers_have_the_same_bits_on_every_isa_with_a_fused_multiply_add) {
  for (const char* name : {"mobilenet_v1:width=0.5,resolution=32,classes=10",
                           "mobilenet_v2:width=0.35,resolution=48,classes=11"}) {
    const Graph graph = canonical(family(name));
    const std::vector<float> image = testing::noise(graph.input_shape(), 2);
    const std::vector<float> best = everything(graph, image, cpu::available_isas().back());
    for (const cpu::Isa isa : cpu::available_isas())
      if (isa != cpu::Isa::kScalar) {
        EXPECT_EQ(everything(graph, image, isa), best) << cpu::to_string(isa);
      }
  }
}

/// A number that every scale, weight and bias of the graph takes part in. (FNV-1a)
std::uint64_t fingerprint(const Graph& graph) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&](std::span<const std::byte> bytes) {
    for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
  };
  for (const Node& node : graph.nodes) {
    mix(std::as_bytes(std::span(&node.quantization->scale, 1)));
    mix(std::as_bytes(std::span(&node.quantization->zero_point, 1)));
    if (const auto layer = layer_weights(node.op))
      for (const Constant* c : {&layer->weight, &layer->bias, &layer->weight_scale}) mix(c->bytes());
  }
  return hash;
}

TEST(quantize, an_untrained_network_is_the_same_int8_network_on_every_machine) {
  if (cpu::available_isas().size() == 1) GTEST_SKIP() << "this CPU has no fused multiply-add";
  EXPECT_EQ(fingerprint(quantized(small_v3()).graph), 7952904933525996307u);
}

TEST(quantize, noise_is_the_same_on_every_machine) {
  const std::vector<Image> images = noise_images({2, 2, 3}, 7);
  ASSERT_EQ(images.size(), 8u);
  EXPECT_NE(images[0], images[1]);
  Random random(7);
  EXPECT_EQ(images[0][0], random.uniform(-1, 1));
  for (const Image& image : images)
    for (const float v : image) EXPECT_LE(std::abs(v), 1);
}

/// Over all layers, the distance between the channel means of float and int8, in units of the layer's scale.
double mean_error(const Quantized& q) {
  const std::vector<Image> images = noise_images(q.graph.input_shape(), 1);
  std::vector<std::vector<double>> real(q.graph.nodes.size()), int8 = real;
  const auto add_to = [&](std::vector<std::vector<double>>& sums) {
    return [&](const Node& node, std::span<const float> values) {
      for (NodeId id = 0; id < q.graph.size(); ++id) {
        if (q.graph[id].name != node.name) continue;
        auto& of = sums[static_cast<std::size_t>(id)];
        of.resize(static_cast<std::size_t>(node.shape.c), 0);
        for (std::size_t i = 0; i < values.size(); ++i)
          of[i % of.size()] +=
              values[i] / (static_cast<double>(node.shape.pixels()) * static_cast<double>(images.size()));
      }
    };
  };
  reference::Interpreter a(q.real), b(q.graph);
  std::vector<float> scores(static_cast<std::size_t>(q.graph.output_shape().size()));
  for (const Image& image : images) {
    EXPECT_TRUE(a.run(1, image, scores, add_to(real)));
    EXPECT_TRUE(b.run(1, image, scores, add_to(int8)));
  }
  double sum = 0;
  for (std::size_t id = 1; id < real.size(); ++id)
    for (std::size_t c = 0; c < real[id].size(); ++c)
      sum += std::abs(real[id][c] - int8[id][c]) / q.graph.nodes[id].quantization->scale;
  return sum;
}

TEST(quantize, bias_correction_brings_the_means_of_channels_nearer) {
  const Graph graph = family("mobilenet_v2:width=0.35,resolution=32,classes=10");
  const Quantized corrected = quantized(graph), plain = quantized(graph, {.correct_bias = false});
  EXPECT_LT(mean_error(corrected), 0.5 * mean_error(plain));
  EXPECT_NE(corrected.graph, plain.graph);
}

TEST(quantize, equalisation_keeps_the_bits_of_float_scores_and_evens_out_channels) {
  for (const Activation activation : {Activation::kRelu, Activation::kRelu6, Activation::kNone}) {
    Graph graph = strip_softmax(chain(activation));
    // Channel 2 is much smaller than the others.
    auto& first = std::get<Convolution>(graph[1].op);
    AlignedVector<float> weights(first.weight.values().begin(), first.weight.values().end());
    for (float& w : weights) w *= 4;  // so that relu6 clips them
    for (std::size_t i = 2 * 27; i < 3 * 27; ++i) weights[i] *= 0.01f;
    AlignedVector<float> bias(first.bias.values().begin(), first.bias.values().end());
    bias[2] = 0.01f;
    first.weight = Constant(first.weight.dims(), std::move(weights));
    first.bias = Constant(first.bias.dims(), std::move(bias));

    const std::vector<Image> images = noise_images(graph.input_shape(), 1);
    ThreadPool pool(1);
    const auto before = calibrate(graph, images, pool);
    const Graph equal = equalise(graph, *before);
    ASSERT_NE(equal, graph);
    const auto after = calibrate(equal, images, pool);
    EXPECT_GT((*after)[1].high[2], 10 * (*before)[1].high[2]);
    if (activation == Activation::kRelu6) {
      EXPECT_LE((*after)[1].high[2], 3);
    }
    EXPECT_EQ((*after)[3].high, (*before)[3].high) << "what the layer behind gives is what it was";
    reference::Interpreter a(graph), b(equal);
    for (const Image& image : images) {
      const std::vector<float> x(image.begin(), image.end());
      EXPECT_EQ(testing::scores_of(a, x), testing::scores_of(b, x));
    }
  }
}

TEST(quantize, equalisation_leaves_a_clipping_relu6_and_a_value_read_twice_alone) {
  Graph graph = strip_softmax(chain());
  ThreadPool pool(1);
  auto statistics = *calibrate(graph, noise_images(graph.input_shape(), 1), pool);
  for (float& high : statistics[1].high) high = 7;
  const Graph equal = equalise(graph, statistics);
  EXPECT_EQ(equal[1], graph[1]);
  graph[3].op = Add{};
  graph[3].inputs = {1, 1};
  graph[3].shape = graph[1].shape;
  graph.nodes.resize(4);
  graph.output = 3;
  EXPECT_EQ(equalise(graph, statistics)[1], graph[1]);
}

TEST(quantize, what_cannot_be_quantized_is_said) {
  const Graph graph = chain();
  const auto images = noise_images(graph.input_shape(), 1);
  const auto message = [](const auto& result) {
    return result ? std::string("no error") : result.error().message;
  };
  EXPECT_THAT(message(to_int8(graph, {})), HasSubstr("no images"));
  EXPECT_THAT(message(to_int8(quantized(graph).graph, images)), HasSubstr("int8 already"));
  EXPECT_THAT(message(to_int8(graph, std::vector<Image>(1, Image(5)))), HasSubstr("an image of 5 values"));
  EXPECT_THAT(message(to_int8(graph, images, {.threads = 0})), HasSubstr("0 threads"));
  for (const float bad : {std::nanf(""), INFINITY}) {
    Graph broken = graph;
    auto& fc = std::get<Linear>(broken[6].op);
    AlignedVector<float> weights(fc.weight.values().begin(), fc.weight.values().end());
    weights[3] = bad;
    fc.weight = Constant(fc.weight.dims(), std::move(weights));
    EXPECT_THAT(message(to_int8(broken, images)), HasSubstr("node \"fc\" has weights that are not finite"));
  }
  auto infinite = images;
  infinite[2][4] = INFINITY;
  EXPECT_THAT(message(to_int8(graph, infinite)), HasSubstr("not finite"));
}

TEST(quantize, a_network_that_always_gives_zero_is_quantized_all_the_same) {
  Graph graph = chain();
  auto& first = std::get<Convolution>(graph[1].op);
  first.weight = Constant(first.weight.dims(), AlignedVector<float>(first.weight.size(), 0.0f));
  first.bias = Constant({8}, AlignedVector<float>(8, -1.0f));
  const Quantized q = quantized(graph);
  EXPECT_TRUE(validate(q.graph));
  reference::Interpreter a(q.real), b(q.graph);
  const auto x = testing::noise(graph.input_shape(), 3);
  EXPECT_THAT(testing::scores_of(b, x),
              ::testing::Pointwise(::testing::FloatNear(0.02f), testing::scores_of(a, x)));
}

TEST(quantize, the_page_has_a_card_a_node_and_says_how_large_the_weights_are) {
  const Quantized q = quantized(small_v3());
  const std::string text = page(q, {"v3", "8 images of noise", {}, decibels(q)});
  std::size_t cards = 0;
  for (std::size_t at = text.find("class=\"card\""); at != std::string::npos;
       at = text.find("class=\"card\"", at + 1))
    ++cards;
  EXPECT_EQ(cards, q.graph.nodes.size());
  for (const Node& node : q.graph.nodes) EXPECT_THAT(text, HasSubstr("<h3>" + node.name + "<span>"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("nan")));
  EXPECT_LT(constant_bytes(q.graph), constant_bytes(q.real) / 3);
}

}  // namespace
}  // namespace linnet::quantize
