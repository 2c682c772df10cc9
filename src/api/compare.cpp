#include "api/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace linnet {
namespace {

struct Pair {
  NodeId a;
  NodeId b;
};

std::vector<Pair> matched_by_name(const Graph& a, const Graph& b) {
  std::unordered_map<std::string_view, NodeId> ids;
  for (NodeId id = 1; id < b.size(); ++id) ids.emplace(b[id].name, id);
  std::vector<Pair> pairs;
  for (NodeId id = 1; id < a.size(); ++id)
    if (const auto found = ids.find(a[id].name); found != ids.end() && b[found->second].shape == a[id].shape)
      pairs.push_back({id, found->second});
  return pairs;
}

bool same_structure(const Graph& a, const Graph& b) {
  if (a.size() != b.size()) return false;
  for (NodeId id = 0; id < a.size(); ++id)
    if (a[id].op.index() != b[id].op.index() || a[id].shape != b[id].shape) return false;
  return true;
}

/// Names win where they fit most layers: a graph that lost one layer still has the names of the others.
Result<std::vector<Pair>> match(const Graph& a, const Graph& b) {
  if (a.input_shape() != b.input_shape())
    return fail(
        "the models take different pictures, {} and {}, so no layer can be compared; name two models of one "
        "resolution",
        to_string(a.input_shape()), to_string(b.input_shape()));
  std::vector<Pair> pairs = matched_by_name(a, b);
  if (2 * std::ssize(pairs) < a.size() && same_structure(a, b)) {
    pairs.clear();
    for (NodeId id = 1; id < a.size(); ++id) pairs.push_back({id, id});
  }
  if (pairs.empty())
    return fail(
        "the models have no layer in common, neither by name nor by position ({} and {} layers); "
        "name two forms of one network",
        a.size() - 1, b.size() - 1);
  return pairs;
}

/// The output of every node for one picture.
Result<std::vector<AlignedVector<float>>> outputs(Executor& executor, std::span<const float> picture) {
  const Graph& graph = executor.graph();
  std::vector<AlignedVector<float>> values(graph.nodes.size());
  AlignedVector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < graph.nodes.size(); ++id) ids.emplace(graph.nodes[id].name, id);
  LINNET_CHECK(executor.run(1, picture, scores, [&](const Node& node, std::span<const float> output) {
    values[ids.at(node.name)].assign(output.begin(), output.end());
  }));
  return values;
}

double difference(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double d = std::abs(double{a} - b);
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

}  // namespace

Result<Comparison> compare(Executor& a, Executor& b, std::span<const AlignedVector<float>> pictures,
                           double tolerance) {
  LINNET_TRY(const std::vector<Pair> pairs, match(a.graph(), b.graph()));
  Comparison result;
  for (const Pair& pair : pairs) result.layers.push_back({.name = a.graph()[pair.a].name});
  std::vector<std::size_t> equal(pairs.size()), total(pairs.size());

  for (const AlignedVector<float>& picture : pictures) {
    LINNET_TRY(const auto values_a, outputs(a, picture));
    LINNET_TRY(const auto values_b, outputs(b, picture));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto& va = values_a[static_cast<std::size_t>(pairs[i].a)];
      const auto& vb = values_b[static_cast<std::size_t>(pairs[i].b)];
      LayerComparison& layer = result.layers[i];
      for (std::size_t k = 0; k < va.size(); ++k) {
        const double d = difference(va[k], vb[k]);
        layer.max_difference = std::max(layer.max_difference, d);
        layer.magnitude = std::max(layer.magnitude, std::abs(double{va[k]}));
        equal[i] += d == 0;
      }
      total[i] += va.size();
    }
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    LayerComparison& layer = result.layers[i];
    layer.equal_share = total[i] ? static_cast<double>(equal[i]) / static_cast<double>(total[i]) : 1;
    if (!result.first_difference && layer.max_difference > tolerance * layer.magnitude)
      result.first_difference = i;
  }
  return result;
}

}  // namespace linnet
