// A new head on a trained network, and networks of which a part is frozen.
#include "train/transfer.h"

#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "train/compare.h"
#include "train/optimizer.h"

namespace linnet::train {
namespace {

const std::vector<std::string> kLabels = {"ant", "bee", "cat"};
constexpr const char* kV3 = "mobilenet_v3_small:width=0.35,resolution=32,classes=5";
constexpr const char* kV2 = "mobilenet_v2:width=0.35,resolution=32,classes=5";

Graph family(const char* model) { return build(*parse_family(model)).value(); }

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

/// The forward and backward pass of a problem; the gradients by name, and "scores".
std::map<std::string, std::vector<float>> gradients_of(const Problem& p, const NetworkOptions& options) {
  ThreadPool pool(2);
  Network network = Network::make(p.graph, p.images, pool, options).value();
  const auto scores = network.forward(p.pixels, true).value();
  std::map<std::string, std::vector<float>> result = {{"scores", copy(scores)}};
  std::vector<float> d_scores(scores.size());
  softmax_cross_entropy(scores, p.targets, p.graph.output_shape().c, d_scores);
  EXPECT_TRUE(network.backward(d_scores));
  for (const Parameter& parameter : network.parameters()) result[parameter.name] = copy(parameter.gradient);
  return result;
}

double norm(const std::vector<float>& v) { return distance(v, std::vector<float>(v.size())); }

TEST(transfer, a_new_head_stands_on_the_same_backbone) {
  for (const char* model : {"mobilenet_v1:width=0.25,resolution=32,classes=1001", kV2, kV3,
                            "mobilenet_v4_conv_small:width=0.25,resolution=32,classes=5"}) {
    const Graph before = family(model);
    const Graph after = replace_head(before, kLabels, 1).value();
    EXPECT_EQ(after.output_shape(), (Shape{1, 1, 3})) << model;
    EXPECT_EQ(after.labels, kLabels);
    for (NodeId id = 0; id + 1 < after.size(); ++id) EXPECT_EQ(after[id], before[id]) << before[id].name;
    EXPECT_EQ(replace_head(before, kLabels, 1).value(), after);
    EXPECT_NE(replace_head(before, kLabels, 2).value(), after);
  }
}

TEST(transfer, a_convolution_as_head_and_a_softmax_behind_it) {
  GraphBuilder b("tensorflow", {4, 4, 3});
  NodeId x =
      b.add("features",
            Convolution{.window = {}, .weight = Constant({8, 1, 1, 3}, AlignedVector<float>(24, 0.5f))}, {0});
  x = b.add("pool", GlobalAveragePool{}, {x});
  x = b.add("logits",
            Convolution{.window = {}, .weight = Constant({1001, 1, 1, 8}, AlignedVector<float>(8008))}, {x});
  x = b.add("squeeze", Identity{}, {x});
  const Graph graph = std::move(b).finish(b.add("softmax", Softmax{}, {x})).value();
  const Graph after = replace_head(graph, kLabels, 1).value();
  EXPECT_EQ(after.output_shape().c, 3);
  const auto& head = std::get<Convolution>(after[after.size() - 2].op);
  EXPECT_EQ(head.weight.dims(), (std::vector<int>{3, 1, 1, 8}));
  EXPECT_EQ(head.bias.size(), 3u);
  EXPECT_NE(head.weight.values()[0], 0);
}

TEST(transfer, what_has_no_head_to_replace_is_refused_by_name) {
  GraphBuilder b("odd", {1, 1, 8});
  const NodeId x = b.add("odd_one", Activate{Activation::kRelu}, {0});
  const auto odd = replace_head(std::move(b).finish(x).value(), kLabels, 1);
  ASSERT_FALSE(odd);
  EXPECT_NE(odd.error().message.find("node \"odd_one\""), std::string::npos);
  EXPECT_FALSE(replace_head(family(kV2), {"one"}, 1));
  Graph int8 = family(kV2);
  int8.nodes.front().quantization = Quantization{};
  const auto refused = replace_head(int8, kLabels, 1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("int8"), std::string::npos);
}

TEST(transfer, the_halves_compute_what_the_whole_does) {
  const Graph graph = replace_head(family(kV3), kLabels, 1).value();
  const Problem p = make_problem(graph, 3, 1);
  const Halves halves = split_at_head(graph);
  ASSERT_TRUE(validate(halves.backbone));
  ASSERT_TRUE(validate(halves.head));
  ThreadPool pool(1);
  Network whole = Network::make(graph, 3, pool).value();
  Network backbone = Network::make(halves.backbone, 3, pool).value();
  Network head = Network::make(halves.head, 3, pool).value();
  const auto scores = copy(whole.forward(p.pixels, false).value());
  EXPECT_EQ(copy(head.forward(backbone.forward(p.pixels, false).value(), false).value()), scores);
  EXPECT_EQ(with_head(graph, halves.head), graph);
  EXPECT_EQ(with_head(replace_head(graph, kLabels, 9).value(), halves.head), graph);
  EXPECT_EQ(backbone_layers(graph), 53);
}

TEST(transfer, another_resolution_keeps_weights_and_proportions) {
  Graph graph = family("mobilenet_v2:width=0.35,resolution=64,classes=5");
  graph.preprocessing.emplace().shortest_edge = 80;
  const Graph smaller = with_resolution(graph, 32).value();
  EXPECT_EQ(smaller.input_shape(), (Shape{32, 32, 3}));
  EXPECT_EQ(smaller.preprocessing->shortest_edge, 40);
  for (NodeId id = 0; id < graph.size(); ++id) EXPECT_EQ(smaller[id].op, graph[id].op);
  EXPECT_EQ(with_resolution(smaller, 64).value(), graph);
  for (const int pixels : {0, 31, 33, -32}) EXPECT_FALSE(with_resolution(graph, pixels)) << pixels;
}

TEST(transfer, a_pool_that_was_left_out_over_one_pixel_comes_back_where_there_are_more) {
  ThreadPool pool(1);
  const auto written = [&](const char* model) {
    const Graph graph = family(model);
    return Network::make(graph, 1, pool).value().to_graph();
  };
  const Graph v1 = written("mobilenet_v1:width=0.25,resolution=32,classes=5");
  EXPECT_FALSE(std::ranges::any_of(
      v1.nodes, [](const Node& node) { return std::holds_alternative<GlobalAveragePool>(node.op); }));
  const auto larger = with_resolution(v1, 64);
  ASSERT_TRUE(larger) << larger.error().message;
  EXPECT_EQ(larger->output_shape(), (Shape{1, 1, 5}));
  // The pools of squeeze-and-excite cannot be told from the convolutions behind them.
  const auto refused = with_resolution(written("mobilenet_v3_small:width=0.35,resolution=32,classes=5"), 64);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("sees one pixel and was left out"), std::string::npos);
}

TEST(transfer, a_frozen_part_keeps_weights_and_statistics) {
  const Problem p = make_problem(family(kV3), 4, 1);
  const int layers = backbone_layers(p.graph);
  for (const int frozen : {1, 7, layers}) {
    ThreadPool pool(2);
    Network network = Network::make(p.graph, p.images, pool, {.frozen_layers = frozen}).value();
    Network full = Network::make(p.graph, p.images, pool).value();
    if (frozen == layers) {
      EXPECT_LT(network.bytes(), full.bytes());
    }
    const auto optimizer = make_sgd(network.parameters(), {.weight_decay = 0.1f});
    for (int i = 0; i < 3; ++i) {
      const auto scores = network.forward(p.pixels, true).value();
      std::vector<float> d_scores(scores.size());
      softmax_cross_entropy(scores, p.targets, 5, d_scores);
      ASSERT_TRUE(network.backward(d_scores));
      optimizer->step(0.1f, pool);
    }
    const Graph before = full.to_graph(), after = network.to_graph();
    int seen = 0;
    for (NodeId id = 0; id < after.size(); ++id) {
      const Op& op = after[id].op;
      const bool weighted = std::holds_alternative<Convolution>(op) ||
                            std::holds_alternative<Depthwise>(op) || std::holds_alternative<Linear>(op);
      seen += weighted ? 1 : 0;
      const bool changes = seen > frozen && (weighted || std::holds_alternative<BatchNorm>(op));
      EXPECT_EQ(op != before[id].op, changes) << after[id].name << " with " << frozen << " frozen";
    }
    EXPECT_NE(after[after.output], before[before.output]);
  }
  ThreadPool pool(1);
  const auto none_left = Network::make(p.graph, 1, pool, {.frozen_layers = layers + 1});
  ASSERT_FALSE(none_left);
  EXPECT_NE(none_left.error().message.find("one be left"), std::string::npos);
}

TEST(transfer, behind_a_frozen_part_gradients_are_the_same) {
  // Without norms a frozen part computes what a trained one does.
  const Problem p = make_problem(fold_batch_norm(family(kV3)), 5, 2);
  const auto full = gradients_of(p, {});
  for (const int frozen : {1, 2, 20, backbone_layers(p.graph)}) {
    const auto part = gradients_of(p, {.frozen_layers = frozen});
    EXPECT_LT(part.size(), full.size());
    for (const auto& [name, gradient] : part) EXPECT_EQ(gradient, full.at(name)) << name;
  }
}

TEST(transfer, frozen_norms_train_as_the_folded_network_does) {
  // y = (z - m) r g + b with r = 1 / sqrt(v + e): the folded weights are w' = w r g, the bias b' = b - m r g.
  Problem p = make_problem(family(kV2), 6, 3);
  for (Node& node : p.graph.nodes)
    if (auto* convolution = std::get_if<Convolution>(&node.op))
      convolution->bias =
          Constant({node.shape.c}, AlignedVector<float>(static_cast<std::size_t>(node.shape.c), 0.1f));
  const auto real = gradients_of(p, {.frozen_norms = true});
  Problem folded = p;
  folded.graph = fold_batch_norm(p.graph);
  const auto expected = gradients_of(folded, {});
  EXPECT_LT(distance(real.at("scores"), expected.at("scores")), 1e-4 * norm(expected.at("scores")));
  int norms = 0;
  for (NodeId id = 0; id < p.graph.size(); ++id) {
    const auto* batch_norm = std::get_if<BatchNorm>(&p.graph[id].op);
    if (!batch_norm) continue;
    ++norms;
    const Node& layer = p.graph[p.graph[id].inputs[0]];
    const auto& d_weight = expected.at(layer.name + ".weight");
    const auto& d_bias = expected.at(layer.name + ".bias");
    EXPECT_LT(distance(real.at(p.graph[id].name + ".bias"), d_bias), 1e-3 * norm(d_bias)) << layer.name;
    const auto* convolution = std::get_if<Convolution>(&layer.op);
    const Constant& weight = convolution ? convolution->weight : std::get<Depthwise>(layer.op).weight;
    const std::size_t channels = d_bias.size(), depth = weight.size() / channels;
    std::vector<float> own(weight.size()), own_bias(channels), scale(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const float r = 1 / std::sqrt(batch_norm->variance.values()[c] + batch_norm->epsilon);
      const double bias = convolution ? 0.1 : 0;
      double sum = (bias - double{batch_norm->mean.values()[c]}) * double{r} * double{d_bias[c]};
      own_bias[c] = d_bias[c] * r * batch_norm->scale.values()[c];
      for (std::size_t i = 0; i < depth; ++i) {
        const std::size_t at = convolution ? c * depth + i : i * channels + c;
        own[at] = d_weight[at] * r * batch_norm->scale.values()[c];
        sum += double{d_weight[at]} * double{weight.values()[at]} * double{r};
      }
      scale[c] = static_cast<float>(sum);
    }
    EXPECT_LT(distance(real.at(layer.name + ".weight"), own), 1e-3 * norm(own)) << layer.name;
    if (convolution) {
      EXPECT_LT(distance(real.at(layer.name + ".bias"), own_bias), 1e-3 * norm(own_bias)) << layer.name;
    }
    EXPECT_LT(distance(real.at(p.graph[id].name + ".weight"), scale), 1e-3 * norm(scale)) << p.graph[id].name;
  }
  EXPECT_EQ(norms, 52);
}

TEST(transfer, a_folded_network_gets_its_norms_back_and_computes_the_same) {
  for (const auto& [model, expected] : {std::pair{"mobilenet_v2:width=0.35,resolution=64,classes=5", 52},
                                        {"mobilenet_v3_small:width=0.35,resolution=64,classes=5", 34}}) {
    const Graph folded = canonical(family(model));
    const Graph graph = with_norms(folded);
    ASSERT_TRUE(validate(graph)) << model;
    EXPECT_EQ(with_norms(graph), graph);
    int norms = 0;
    for (const Node& node : graph.nodes) norms += std::holds_alternative<BatchNorm>(node.op) ? 1 : 0;
    EXPECT_EQ(norms, expected) << "as many as there were, " << model;
    const Problem p = make_problem(graph, 16, 1);
    ThreadPool pool(2);
    Network network = Network::make(graph, p.images, pool).value();
    const auto before = copy(Network::make(folded, p.images, pool).value().forward(p.pixels, false).value());
    const auto same = [&](const char* when) {
      const auto scores = copy(network.forward(p.pixels, false).value());
      EXPECT_LT(distance(scores, before), 1e-3 * norm(before)) << model << " " << when;
    };
    same("with norms");
    ASSERT_TRUE(network.restate_norms(p.pixels));
    same("restated");
    // Its norms say now what the batch's statistics are, so that training starts from the same scores.
    const auto statistics = copy(network.statistics());
    const auto trained = copy(network.forward(p.pixels, true).value());
    EXPECT_LT(distance(trained, before), 0.15 * norm(before)) << model;
    EXPECT_LT(distance(copy(network.statistics()), statistics), 1e-2 * norm(statistics)) << model;
    EXPECT_FALSE(network.restate_norms(std::span(p.pixels).first(7)));
  }
}

}  // namespace
}  // namespace linnet::train
