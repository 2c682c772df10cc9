// Quantisation-aware training: its gradients against the textbook, and the integers that come out of it.
#include "graph/quantized.h"

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

#include "cpu/executor.h"
#include "formats/safetensors/safetensors.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/random_graph.h"
#include "quantize/quantize.h"
#include "reference/interpreter.h"
#include "support/cases.h"
#include "train/compare.h"
#include "train/initialise.h"
#include "train/optimizer.h"
#include "train/quantizers.h"

namespace linnet::train {
namespace {

const char* const kFamilies[] = {"mobilenet_v1:width=0.25,resolution=64,classes=5",
                                 "mobilenet_v2:width=0.35,resolution=64,classes=5",
                                 "mobilenet_v3_small:width=0.35,resolution=67,classes=5",
                                 "mobilenet_v3_large:width=0.25,resolution=64,classes=5",
                                 "mobilenet_v4_conv_small:width=0.25,resolution=64,classes=5"};

/// As a Network has it inside, so that nodes have the same numbers.
Graph prepared(const Graph& graph) { return canonical_padding(remove_identity(strip_softmax(graph))); }

Graph family(const char* model) {
  return prepared(initialise(build(*parse_family(model)).value(), Initialisation::kHeFanOut, 1));
}

/// A problem whose batch norms' running statistics are those of its batch, as after training: scales that are
/// taken from other statistics would clip nearly everything.
Problem settled_problem(Graph graph, int images, std::uint64_t seed) {
  Problem p = make_problem(std::move(graph), images, seed);
  ThreadPool pool(1);
  Network network = Network::make(p.graph, p.images, pool, {.momentum = 1.0f}).value();
  EXPECT_TRUE(network.forward(p.pixels, true));
  p.graph = network.to_graph();
  return p;
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
      for (float& v : p.value) v *= random.uniform(0.76f, 1.1f);
}

/// How far gradients may be from the textbook's: float32 leaves half a per cent in the deepest networks, and
/// more where next to nothing is left of many terms.
constexpr double kTolerance = 0.01, kNothing = 1e-3;

void expect_textbook_gradients(const Problem& p, bool frozen, int threads, cpu::Isa isa) {
  const Graph int8 = int8_of(p);
  ThreadPool pool(threads);
  Network network = Network::make(p.graph, p.images, pool, {.isa = isa, .int8 = int8}).value();
  disturb(network, 5);
  network.freeze_statistics(frozen);
  const auto scores = network.forward(p.pixels, true).value();
  Reference textbook = twin(p, int8, network);  // the forward pass limits the steps of weights
  textbook.frozen = frozen;
  // On which side of a half a value lies is the network's to say: a last bit decides it.
  for (const auto* grids : {&textbook.before_grids, &textbook.output_grids})
    for (const auto& [id, grid] : *grids) {
      const auto stored = network.stored_values(grid.name.substr(0, grid.name.rfind('.')));
      ASSERT_TRUE(stored) << stored.error().message;
      textbook.stored[grid.name].assign(stored->begin(), stored->end());
    }
  textbook.loss(p.pixels, p.targets);
  textbook.backward();
  EXPECT_LT(textbook.apart, 0.501);
  const auto check = [&](const std::string& name, auto values, const std::vector<double>& expected) {
    const double size = distance(expected, std::vector<double>(expected.size(), 0.0));
    EXPECT_LE(distance(values, expected), kTolerance * size + kNothing) << name << ", of norm " << size;
  };
  check("scores", scores, textbook.scores());
  std::vector<float> d_scores(scores.size());
  softmax_cross_entropy(scores, p.targets, p.graph.output_shape().c, d_scores);
  ASSERT_TRUE(network.backward(d_scores));
  for (const Parameter& parameter : network.parameters()) {
    ASSERT_TRUE(textbook.gradients.contains(parameter.name)) << parameter.name;
    check(parameter.name, parameter.gradient, textbook.gradients.at(parameter.name));
  }
}

TEST(quantized_training, gradients_are_the_textbooks_in_every_family) {
  int threads = 1;
  int left = testing::cases(16);
  for (const char* model : kFamilies)
    for (const bool frozen : {false, true}) {
      if (left-- == 0) return;
      SCOPED_TRACE(fmt::format("{}, {} threads{}", model, threads, frozen ? ", frozen" : ""));
      expect_textbook_gradients(settled_problem(family(model), 4, 11), frozen, threads,
                                cpu::available_isas().back());
      threads = threads % 3 + 1;
    }
}

TEST(quantized_training, gradients_are_the_textbooks_in_random_graphs) {
  const int graphs = testing::cases(200);
  for (int seed = 1; seed <= graphs; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Problem p =
        settled_problem(random_graph(static_cast<std::uint64_t>(seed)), 4, static_cast<std::uint64_t>(seed));
    expect_textbook_gradients(p, seed % 2 == 1, seed % 3 + 1, cpu::available_isas().back());
  }
}

/// What an executor gives at every node, by its name.
std::map<std::string, std::vector<float>> outputs_of(Executor& executor, const Problem& p) {
  std::map<std::string, std::vector<float>> outputs;
  std::vector<float> scores(static_cast<std::size_t>(p.images * p.graph.output_shape().c));
  EXPECT_TRUE(executor.run(p.images, p.pixels, scores, [&](const Node& node, std::span<const float> v) {
    outputs[node.name] = copy(v);
  }));
  return outputs;
}

/// A network after a few steps, the last ones with frozen statistics.
Network trained_network(const Problem& p, ThreadPool& pool, int steps = 6) {
  Network network = Network::make(p.graph, p.images, pool, {.int8 = int8_of(p)}).value();
  const auto optimizer = make_sgd(network.parameters(), {.momentum = 0.9f});
  for (int i = 0; i < steps; ++i) {
    network.freeze_statistics(i >= steps / 2);
    step(network, *optimizer, p, 1e-4f, pool);
  }
  EXPECT_TRUE(network.forward(p.pixels, false));  // limits the steps of the weights
  return network;
}

/// Equal at every node: the interpreter on the graph as training has it, and the engine on the file, on every
/// ISA.
void expect_engine_equals(const Graph& inside, const Problem& p) {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("linnet_qat_{}.safetensors", getpid());
  ASSERT_TRUE(formats::write_safetensors(inside, path));
  const auto exported = formats::read_safetensors(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(exported) << exported.error().message;
  EXPECT_EQ(*exported, inside);
  reference::Interpreter interpreter(inside);
  const auto expected = outputs_of(interpreter, p);
  for (const cpu::Isa isa : cpu::available_isas()) {
    const auto engine = cpu::make_executor(*exported, {.threads = 2, .isa = isa}).value();
    for (const auto& [name, values] : outputs_of(*engine, p))
      ASSERT_EQ(values, expected.at(name)) << "node " << name << ", " << to_string(isa);
  }
}

/// The loss of the integers.
double loss_in_int8(const Graph& int8, const Problem& p) {
  const auto engine = cpu::make_executor(int8, {}).value();
  std::vector<float> scores(p.targets.size());
  EXPECT_TRUE(engine->run(p.images, p.pixels, scores));
  std::vector<float> unused(scores.size());
  return softmax_cross_entropy(scores, p.targets, p.graph.output_shape().c, unused).mean;
}

/// Shares of the values that training's float passes and the integers agree on.
struct Agreement {
  std::int64_t values = 0, equal = 0, within_one = 0;
  double share(std::int64_t part) const { return static_cast<double>(part) / static_cast<double>(values); }
};

/// Node by node, each from the integers of its own inputs.
Agreement agreement(Network& network, const Graph& int8, const Problem& p) {
  EXPECT_TRUE(network.forward(p.pixels, false));
  reference::Interpreter interpreter(int8);
  Agreement found;
  for (const auto& [name, integers] : outputs_of(interpreter, p)) {
    const auto fake = network.stored_values(name);
    if (!fake) continue;  // a pad
    const auto node = std::ranges::find(int8.nodes, name, &Node::name);
    for (std::size_t i = 0; i < integers.size(); ++i) {
      const double apart =
          std::abs(double{integers[i]} - double{(*fake)[i]}) / double{node->quantization->scale};
      ++found.values;
      found.equal += apart < 0.5 ? 1 : 0;
      found.within_one += apart < 1.5 ? 1 : 0;
    }
  }
  return found;
}

TEST(quantized_training, one_batch_is_learnt_by_heart_in_integers) {
  int left = testing::cases(8);
  for (const char* model :
       {"mobilenet_v1:width=0.25,resolution=32,classes=5", "mobilenet_v2:width=0.35,resolution=32,classes=5",
        "mobilenet_v3_small:width=0.35,resolution=32,classes=5"}) {
    if (left-- == 0) return;
    Problem p = make_certain_problem(family(model), 16, 5);
    ThreadPool pool(2);
    constexpr SgdOptions kMomentum = {.momentum = 0.9f, .nesterov = true};
    {
      Network network = Network::make(p.graph, p.images, pool, {}).value();
      const auto optimizer = make_sgd(network.parameters(), kMomentum);
      for (int i = 0; i < 80; ++i) step(network, *optimizer, p, 0.02f, pool);
      p.graph = network.to_graph();
    }
    const Graph after = int8_of(p);
    Network aware = Network::make(p.graph, p.images, pool, {.int8 = after}).value();
    const auto optimizer = make_sgd(aware.parameters(), kMomentum);
    // Frozen batch norms no longer take back what a step does to the size of the weights: small steps.
    for (int i = 0; i < 20; ++i) step(aware, *optimizer, p, 0.002f, pool);
    aware.freeze_statistics(true);
    for (int i = 0; i < 40; ++i) step(aware, *optimizer, p, 0.0005f, pool);
    const double loss = loss_in_int8(aware.to_int8().value(), p);
    EXPECT_LT(loss, 0.01) << model;
    EXPECT_LT(loss, loss_in_int8(after, p)) << model << ": no better than int8 after training";
  }
}

TEST(quantized_training, what_is_exported_runs_as_the_integers_inside_training) {
  for (const char* model : kFamilies) {
    SCOPED_TRACE(model);
    const Problem p = settled_problem(family(model), 4, 7);
    ThreadPool pool(2);
    Network network = trained_network(p, pool);
    const Graph int8 = network.to_int8().value();
    expect_engine_equals(int8, p);
  }
}

TEST(quantized_training, random_graphs_are_exported_as_the_integers_inside_training) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Problem p = settled_problem(random_graph(seed), 2, seed);
    ThreadPool pool(2);
    Network network = trained_network(p, pool, 2);
    const Graph int8 = network.to_int8().value();
    expect_engine_equals(int8, p);
    const Agreement found = agreement(network, int8, p);
    EXPECT_GT(found.share(found.equal), 0.95);
    EXPECT_GT(found.share(found.within_one), 0.99);
    if (::testing::Test::HasFailure()) FAIL() << fmt::format("seed {}\n{}", seed, dump(p.graph));
  }
}

TEST(quantized_training, folding_a_batch_norm_leaves_the_stored_weights) {
  // Weights on their own grid are those of the export: one share of the weights may differ by a rounding.
  const Problem p = settled_problem(family(kFamilies[0]), 4, 3);
  ThreadPool pool(1);
  Network network = trained_network(p, pool);
  const Graph int8 = network.to_int8().value();
  const Graph trained = network.to_graph();
  std::int64_t different = 0, all = 0;
  for (const Node& node : int8.nodes) {
    const auto layer = layer_weights(node.op);
    if (!layer) continue;
    const auto own = std::ranges::find(trained.nodes, node.name, &Node::name);
    const auto raw = layer_weights(own->op)->weight.values();
    const auto norm = std::ranges::find_if(trained.nodes, [&](const Node& n) {
      return std::holds_alternative<BatchNorm>(n.op) &&
             n.inputs[0] == static_cast<NodeId>(own - trained.nodes.begin());
    });
    const auto steps = parameter(network, node.name + ".weight_step");
    const auto stored = layer->weight.values<std::int8_t>();
    const std::size_t channels = steps.size(), taps = stored.size() / channels;
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const std::size_t k = layer->channels_last ? i % channels : i / taps;
      const bool negative =
          norm != trained.nodes.end() && std::get<BatchNorm>(norm->op).scale.values()[k] < 0;
      const float q = std::clamp(std::nearbyint(raw[i] / steps[k]), -127.0f, 127.0f);
      ++all;
      different += stored[i] == static_cast<int>(negative ? -q : q) ? 0 : 1;
    }
  }
  EXPECT_LE(different, all / 1000);
}

TEST(quantized_training, the_same_threads_give_the_same_bits_and_a_copied_state_goes_on) {
  const Problem p = settled_problem(family(kFamilies[2]), 7, 2);
  const Problem other = settled_problem(p.graph, 3, 99);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Graph int8 = int8_of(p);
    Network first = Network::make(p.graph, p.images, pool, {.int8 = int8}).value();
    const auto optimizer = make_sgd(first.parameters(), {.momentum = 0.9f});
    for (int i = 0; i < 2; ++i) step(first, *optimizer, p, 0.01f, pool);
    // Scales and zero points are a part of the arrays: where another network started from does not matter.
    Network second = Network::make(p.graph, p.images, pool, {.int8 = int8_of(other)}).value();
    const auto copied = make_sgd(second.parameters(), {.momentum = 0.9f});
    std::ranges::copy(first.values(), second.values().begin());
    std::ranges::copy(first.statistics(), second.statistics().begin());
    std::ranges::copy(optimizer->state(), copied->state().begin());
    for (int i = 0; i < 2; ++i) {
      step(first, *optimizer, p, 0.01f, pool);
      step(second, *copied, p, 0.01f, pool);
    }
    EXPECT_EQ(copy(first.values()), copy(second.values())) << threads << " threads";
    EXPECT_EQ(first.to_int8().value(), second.to_int8().value());
  }
}

TEST(quantized_training, a_learned_step_of_weights_stays_near_the_weights) {
  const Problem p = settled_problem(family(kFamilies[0]), 2, 2);
  ThreadPool pool(2);
  Network network = Network::make(p.graph, p.images, pool, {.int8 = int8_of(p)}).value();
  for (const float factor : {1e6f, -1.0f, 1e-6f}) {
    for (const Parameter& q : network.parameters())
      if (q.name.ends_with(".weight_step"))
        for (float& step : q.value) step = step * factor;
    ASSERT_TRUE(network.forward(p.pixels, true));
    for (const Parameter& q : network.parameters()) {
      if (!q.name.ends_with(".weight_step")) continue;
      const std::string layer = q.name.substr(0, q.name.rfind('.'));
      const auto weights = parameter(network, layer + ".weight");
      ASSERT_FALSE(weights.empty()) << layer;
      float most = 0;
      for (const float w : weights) most = std::max(most, 4.001f * std::abs(w) / 127);
      for (const float step : q.value) {
        EXPECT_GT(step, 0.0f) << q.name;
        EXPECT_LE(step, most) << q.name;
      }
    }
  }
}

TEST(quantized_training, frozen_statistics_stay) {
  const Problem p = settled_problem(family(kFamilies[0]), 4, 2);
  ThreadPool pool(2);
  Network network = Network::make(p.graph, p.images, pool, {.int8 = int8_of(p)}).value();
  network.freeze_statistics();
  const auto before = copy(network.statistics());
  const auto scores = copy(network.forward(p.pixels, true).value());
  EXPECT_EQ(copy(network.statistics()), before);
  EXPECT_EQ(copy(network.forward(p.pixels, false).value()), scores);
  network.freeze_statistics(false);
  ASSERT_TRUE(network.forward(p.pixels, true));
  EXPECT_NE(copy(network.statistics()), before);
}

TEST(quantized_training, an_int8_graph_of_another_network_is_an_error) {
  const Problem p = settled_problem(family(kFamilies[0]), 2, 2);
  const Problem other = settled_problem(family(kFamilies[1]), 2, 2);
  ThreadPool pool(1);
  for (const Graph& wrong : {int8_of(other), p.graph}) {
    const auto refused = Network::make(p.graph, 2, pool, {.int8 = wrong});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("quantize the network itself"), std::string::npos);
  }
  const Network plain = Network::make(p.graph, 2, pool).value();
  EXPECT_FALSE(plain.to_int8());
  EXPECT_FALSE(plain.stored_values("features.0.0"));
}

}  // namespace
}  // namespace linnet::train
