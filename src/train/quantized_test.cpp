// Quantisation-aware training: its gradients against the textbook, and the integers that come out of it.
#include <fmt/format.h>

#include "cpu/executor.h"
#include "formats/safetensors/safetensors.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/quantized.h"
#include "graph/random_graph.h"
#include "quantize/quantize.h"
#include "reference/interpreter.h"
#include "train/compare.h"
#include "train/initialise.h"
#include "train/optimizer.h"
#include "train/quantizers.h"

namespace linnet::train {
namespace {

const char* const kFamilies[] = {"mobilenet_v1:width=0.25,resolution=32,classes=5",
                                 "mobilenet_v2:width=0.35,resolution=32,classes=5",
                                 "mobilenet_v3_small:width=0.35,resolution=35,classes=5",
                                 "mobilenet_v3_large:width=0.25,resolution=32,classes=5",
                                 "mobilenet_v4_conv_small:width=0.25,resolution=32,classes=5"};

/// As a Network has it inside, so that nodes have the same numbers.
Graph prepared(const Graph& graph) { return canonical_padding(remove_identity(strip_softmax(graph))); }

Graph family(const char* model, std::uint64_t seed = 1) {
  return prepared(initialise(build(*parse_family(model)).value(), Initialisation::kHeFanOut, seed));
}

/// A random graph without a softmax.
Graph random_graph(std::uint64_t seed) {
  RandomGraph random(seed);
  for (;;) {
    Graph graph = random.network(random.between(1, 6));
    const auto softmax = [](const Node& node) { return std::holds_alternative<Softmax>(node.op); };
    if (std::ranges::none_of(graph.nodes, softmax)) return prepared(graph);
  }
}

Graph int8_of(const Problem& p) {
  const auto size = static_cast<std::ptrdiff_t>(p.graph.input_shape().size());
  std::vector<quantize::Image> images;
  for (std::ptrdiff_t i = 0; i < p.images; ++i)
    images.emplace_back(p.pixels.begin() + i * size, p.pixels.begin() + (i + 1) * size);
  return quantize::to_int8(p.graph, images, {.correct_bias = false}).value().graph;
}

std::span<float> parameter(const Network& network, const std::string& name) {
  for (const Parameter& p : network.parameters())
    if (p.name == name) return p.value;
  return {};
}

/// The textbook twin on the grids that the network has now.
Reference twin(const Problem& p, const Graph& int8, const Network& network) {
  Reference twin(p.graph);
  const std::vector<NodeGrids> grids = grids_of(p.graph, int8).value();
  const auto grid_at = [&](NodeId id) {
    const Node& node = int8[id];
    Reference::Grid grid = {.name = node.name + ".step", .scale = double{node.quantization->scale}};
    grid.low = -128 - node.quantization->zero_point;
    grid.high = 127 - node.quantization->zero_point;
    const double levels = std::max({grid.high, -grid.low, 1.0});
    grid.gradient_scale = 1 / std::sqrt(static_cast<double>(node.shape.size()) * levels);
    grid.clip = grid_rule(node) == GridRule::kClip;
    if (grid.clip) grid.name = node.name + ".largest";
    if (grid_rule(node) == GridRule::kFixed) return grid;
    grid.scale = double{parameter(network, grid.name)[0]} / (grid.clip ? grid.high : 1);
    return grid;
  };
  for (NodeId id = 0; id < p.graph.size(); ++id) {
    const NodeGrids& own = grids[static_cast<std::size_t>(id)];
    if (own.before >= 0) twin.before_grids[id] = grid_at(own.before);
    if (own.output >= 0) twin.output_grids[id] = grid_at(own.output);
    const auto layer = layer_weights(p.graph[id].op);
    if (!layer) continue;
    std::string name = p.graph[id].name + ".weight_step";
    if (parameter(network, name).empty()) name = p.graph[id].name + ".pre.weight_step";
    const double taps = static_cast<double>(layer->weight.size()) / layer->channels;
    for (const float step : parameter(network, name))
      twin.weight_grids[id].push_back({.name = name,
                                       .scale = double{step},
                                       .low = -127,
                                       .high = 127,
                                       .gradient_scale = 1 / std::sqrt(taps * 127)});
  }
  return twin;
}

/// Scales at which a part of the values is clipped.
void disturb(Network& network, std::uint64_t seed) {
  Random random(seed);
  for (const Parameter& p : network.parameters())
    if (p.name.ends_with("step") || p.name.ends_with(".largest"))
      for (float& v : p.value) v *= random.uniform(0.6f, 1.1f);
}

/// How far, as shares of their norms, gradients may be from the textbook's: where float and double round to
/// different sides, a value is off by a whole step.
constexpr double kTolerance = 0.02;

void expect_textbook_gradients(const Problem& p, bool frozen, int threads, cpu::Isa isa) {
  const Graph int8 = int8_of(p);
  ThreadPool pool(threads);
  Network network = Network::make(p.graph, p.images, pool, {.isa = isa, .int8 = int8}).value();
  disturb(network, 5);
  network.freeze_statistics(frozen);
  Reference textbook = twin(p, int8, network);
  textbook.frozen = frozen;
  textbook.loss(p.pixels, p.targets);
  textbook.backward();
  const auto scores = network.forward(p.pixels, true).value();
  std::vector<float> d_scores(scores.size());
  softmax_cross_entropy(scores, p.targets, p.graph.output_shape().c, d_scores);
  ASSERT_TRUE(network.backward(d_scores));
  const auto check = [&](const std::string& name, auto values, const std::vector<double>& expected) {
    const double size = distance(expected, std::vector<double>(expected.size(), 0.0));
    EXPECT_LE(distance(values, expected), kTolerance * size + 1e-6) << name << ", of norm " << size;
  };
  check("scores", scores, textbook.scores());
  for (const Parameter& parameter : network.parameters()) {
    ASSERT_TRUE(textbook.gradients.contains(parameter.name)) << parameter.name;
    check(parameter.name, parameter.gradient, textbook.gradients.at(parameter.name));
  }
}

TEST(quantized_training, gradients_are_the_textbooks_in_every_family) {
  int threads = 1;
  for (const char* model : kFamilies)
    for (const bool frozen : {false, true}) {
      SCOPED_TRACE(fmt::format("{}, {} threads{}", model, threads, frozen ? ", frozen" : ""));
      expect_textbook_gradients(make_problem(family(model), 4, 11), frozen, threads,
                                cpu::available_isas().back());
      threads = threads % 3 + 1;
    }
}

TEST(quantized_training, gradients_are_the_textbooks_in_random_graphs_on_every_isa) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    RandomGraph random(seed);
    const Problem p = make_problem(random_graph(seed), random.between(1, 4), seed);
    const int threads = random.between(1, 4);
    const bool frozen = random.between(0, 1) == 1;
    for (const cpu::Isa isa : cpu::available_isas()) {
      expect_textbook_gradients(p, frozen, threads, isa);
      if (::testing::Test::HasFailure())
        FAIL() << fmt::format("seed {}, {}, {} threads\n{}", seed, to_string(isa), threads, dump(p.graph));
    }
  }
}

}  // namespace
}  // namespace linnet::train
