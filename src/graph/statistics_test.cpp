#include "graph/statistics.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "support/data.h"

namespace linnet {

// What a failure prints.
void PrintTo(const Totals& t, std::ostream* out) {
  *out << fmt::format("{} MACs, {} parameters, {} weights", t.macs, t.parameters, t.weights);
}
void PrintTo(const ReceptiveField& f, std::ostream* out) {
  *out << fmt::format("{}x{} every {}x{}{}", f.h, f.w, f.stride_h, f.stride_w,
                      f.whole_image ? ", the whole image" : "");
}
void PrintTo(const NodeStatistics& s, std::ostream* out) {
  PrintTo(Totals{s.macs, s.parameters, s.weights}, out);
  *out << ", sees ";
  PrintTo(s.receptive_field, out);
}

namespace {

Constant zeros(std::vector<int> dims) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  return Constant(std::move(dims), AlignedVector<float>(n, 0.0f));
}

Graph family(std::string_view text) {
  const auto config = parse_family(text);
  EXPECT_TRUE(config) << config.error().message;
  auto graph = build(*config);
  EXPECT_TRUE(graph) << graph.error().message;
  return *std::move(graph);
}

NodeId find(const Graph& graph, std::string_view name) {
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph[id].name == name) return id;
  ADD_FAILURE() << "no node " << name << '\n' << dump(graph);
  return 0;
}

std::int64_t macs_without_classifier(const Graph& graph) {
  return totals_of(graph, find(graph, "avgpool")).macs;
}

/// Values alive at once when layers run one after the other, the input image excepted: what is read now or
/// later, and what is written.
std::int64_t peak_values(const Graph& graph) {
  std::vector<NodeId> last_reader(graph.nodes.size(), 0);
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph[id].inputs) last_reader[static_cast<std::size_t>(input)] = id;
  std::int64_t peak = 0;
  for (NodeId id = 1; id < graph.size(); ++id) {
    std::int64_t alive = graph[id].shape.size();
    for (NodeId other = 1; other < id; ++other)
      if (last_reader[static_cast<std::size_t>(other)] >= id) alive += graph[other].shape.size();
    peak = std::max(peak, alive);
  }
  return peak;
}

TEST(statistics, every_operator_is_counted_by_the_rules_of_info) {
  GraphBuilder b("counted", {8, 6, 3});
  const NodeId conv = b.add(
      "conv",
      Convolution{.window = {3, 3, 2, 2, {1, 1, 1, 1}}, .weight = zeros({4, 3, 3, 3}), .bias = zeros({4})},
      {b.input()});
  const NodeId norm = b.add("norm", BatchNorm{zeros({4}), zeros({4}), zeros({4}), zeros({4})}, {conv});
  const NodeId dw =
      b.add("dw", Depthwise{.window = {5, 3, 1, 1, {2, 2, 1, 1}}, .weight = zeros({5, 3, 4})}, {norm});
  const NodeId sum = b.add("sum", Add{}, {norm, dw});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  const NodeId gate = b.add("gate", Activate{Activation::kHardSigmoid}, {pool});
  const NodeId gated = b.add("gated", Multiply{}, {sum, gate});
  const NodeId pool2 = b.add("pool2", GlobalAveragePool{}, {gated});
  const NodeId fc = b.add("fc", Linear{.weight = zeros({7, 4}), .bias = zeros({7})}, {pool2});
  const Graph graph = std::move(b).finish(fc).value();

  const auto s = node_statistics(graph);
  const auto at = [&](NodeId id) { return s[static_cast<std::size_t>(id)]; };
  EXPECT_EQ(at(conv), (NodeStatistics{4 * 3 * 108, 108 + 4, 108, {3, 3, 2, 2}}));  // 4x3 pixels
  EXPECT_EQ(at(norm), (NodeStatistics{0, 8, 0, {3, 3, 2, 2}}));
  EXPECT_EQ(at(dw), (NodeStatistics{4 * 3 * 60, 60, 60, {3 + 4 * 2, 3 + 2 * 2, 2, 2}}));
  EXPECT_EQ(at(sum), (NodeStatistics{0, 0, 0, {11, 7, 2, 2}}));
  EXPECT_EQ(at(pool), (NodeStatistics{0, 0, 0, {11 + 3 * 2, 7 + 2 * 2, 2, 2, true}}));
  EXPECT_EQ(at(gated), (NodeStatistics{0, 0, 0, {11, 7, 2, 2, true}}));
  EXPECT_EQ(at(fc), (NodeStatistics{28, 28 + 7, 28, {17, 11, 2, 2, true}}));
  EXPECT_EQ(totals(graph), (Totals{1296 + 720 + 28, 112 + 8 + 60 + 35, 108 + 60 + 28}));
  EXPECT_EQ(totals_of(graph, sum), (Totals{1296 + 720, 112 + 8 + 60, 168}));
}

TEST(statistics, a_receptive_field_never_overflows) {
  GraphBuilder b("strides", {1, 1, 1});
  NodeId x = b.input();
  for (int i = 0; i < 20; ++i)
    x = b.add("dw" + std::to_string(i),
              Depthwise{.window = {2, 2, 1 << 16, 1 << 16, {0, 1, 0, 1}}, .weight = zeros({2, 2, 1})}, {x});
  const Graph graph = std::move(b).finish(x).value();
  EXPECT_EQ(node_statistics(graph).back().receptive_field.h, std::int64_t{1} << 40);
}

// The constants of the design, by family. torchvision's own figure for V2 is num_params = 3504872.

TEST(statistics, mobilenet_v2_at_224_pixels) {
  const Graph graph = family("mobilenet_v2");
  EXPECT_EQ(totals(graph).macs, 300'774'272);
  EXPECT_EQ(macs_without_classifier(graph), 299'494'272);
  EXPECT_EQ(totals(graph).parameters, 3'504'872);

  int convolutions = 0;
  int linears = 0;
  for (const Node& node : graph.nodes) {
    convolutions +=
        std::holds_alternative<Convolution>(node.op) || std::holds_alternative<Depthwise>(node.op);
    linears += std::holds_alternative<Linear>(node.op);
  }
  EXPECT_EQ(convolutions, 52);
  EXPECT_EQ(linears, 1);
}

TEST(statistics, a_point_of_mobilenet_v2s_7x7_map) {
  const Graph graph = family("mobilenet_v2");
  const NodeId map = find(graph, "features.17.conv.3");
  ASSERT_EQ(graph[map].shape, (Shape{7, 7, 320}));
  const Totals cost = totals_of(graph, map);
  EXPECT_EQ(cost.macs, 49 * 5'702'528);
  EXPECT_EQ(cost.weights, 1'780'160);
  const auto field = node_statistics(graph)[static_cast<std::size_t>(map)].receptive_field;
  EXPECT_EQ(field, (ReceptiveField{491, 491, 32, 32}));
}

TEST(statistics, mobilenet_v2_at_32_pixels) {
  EXPECT_EQ(macs_without_classifier(family("mobilenet_v2:resolution=32")), 6'112'128);
  EXPECT_EQ(totals(family("mobilenet_v2:resolution=32")).macs, 7'392'128);
  const Graph dense = family("mobilenet_v2:resolution=32,strides=14:1");
  EXPECT_EQ(totals(dense).macs, 12'216'320);
  EXPECT_EQ(dense[find(dense, "features.18.2")].shape, (Shape{2, 2, 1280}));
  EXPECT_EQ(totals(family("mobilenet_v2:resolution=32,classes=10,stem_stride=1,strides=2:1")).macs,
            87'976'448);
}

TEST(statistics, mobilenet_v1) {
  EXPECT_EQ(totals(family("mobilenet_v1")), (Totals{568'740'352, 4'231'976, 4'209'088}));
  EXPECT_EQ(totals(family("mobilenet_v1:resolution=32,classes=10")).macs, 11'596'288);
  EXPECT_EQ(totals(family("mobilenet_v1:resolution=32,classes=10,stem_stride=1")).macs, 46'354'432);
  EXPECT_EQ(totals(family("mobilenet_v1:resolution=32,classes=10")).parameters, 3'217'226);
  EXPECT_EQ(totals(family("mobilenet_v1:width=0.25,resolution=96,classes=2")).macs, 7'489'664);
}

// torchvision's MobileNet_V3_Large_Weights and MobileNet_V3_Small_Weights, num_params.
TEST(statistics, mobilenet_v3) {
  EXPECT_EQ(totals(family("mobilenet_v3_large")).parameters, 5'483'032);
  EXPECT_EQ(totals(family("mobilenet_v3_small")).parameters, 2'542'856);
}

/// 1234567 as "1,234,567".
std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (int i = static_cast<int>(text.size()) - 3; i > 0; i -= 3)
    text.insert(static_cast<std::size_t>(i), ",");
  return text;
}

/// The row of docs/families.md up to its last column, the paper.
std::string row(std::string_view name) {
  const Graph graph = family(name);
  int layers = 0;
  NodeId map = 0;  // what the last pool reads
  for (const Node& node : graph.nodes) {
    layers += std::holds_alternative<Convolution>(node.op) || std::holds_alternative<Depthwise>(node.op) ||
              std::holds_alternative<Linear>(node.op);
    if (std::holds_alternative<GlobalAveragePool>(node.op)) map = node.inputs[0];
  }
  const auto field = node_statistics(graph)[static_cast<std::size_t>(map)].receptive_field;
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |", name, with_commas(totals(graph).macs),
                     with_commas(totals(graph).parameters), layers, field.h, to_string(graph[map].shape));
}

TEST(statistics, the_table_in_the_docs_is_right) {
  std::ifstream in(std::filesystem::path(LINNET_SOURCE_DIR) / "docs" / "families.md");
  ASSERT_TRUE(in);
  std::size_t rows = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| `mobilenet")) continue;
    ASSERT_LT(rows, family_names().size());
    EXPECT_EQ(line.substr(0, line.rfind("|", line.size() - 2) + 1), row(family_names()[rows]));
    ++rows;
  }
  EXPECT_EQ(rows, family_names().size());
}

TEST(statistics, int8_bytes_layer_by_layer) {
  const auto peak = [](std::string_view text) { return peak_values(canonical(family(text))); };
  EXPECT_EQ(peak("mobilenet_v2"), 1'505'280);
  EXPECT_EQ(peak("mobilenet_v2:width=0.35,resolution=144"), 311'040);
  EXPECT_EQ(peak("mobilenet_v1:width=0.25,resolution=96,classes=2"), 55'296);
  EXPECT_EQ(peak("mobilenet_v2:resolution=32"), 30'720);
}

}  // namespace
}  // namespace linnet
