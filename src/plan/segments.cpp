#include "plan/segments.h"

namespace linnet::plan {
namespace {

constexpr int kNone = -1;

/// Who computes and who reads the values of a graph, in layers.
class Layers {
 public:
  Layers(const Graph& graph, std::span<const Layer> layers)
      : graph_(graph),
        layers_(layers),
        uses_(count_uses(graph)),
        producer_(graph.nodes.size(), kNone),
        reader_(graph.nodes.size(), kNone) {
    for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
      producer_[index(at(i).value())] = i;
      for (const NodeId input : graph[at(i).node].inputs) reader_[index(input)] = i;
    }
    // A residual is no input that flows through.
    for (const Layer& layer : layers)
      if (const NodeId residual = residual_of(graph, layer); residual != kNobody)
        reader_[index(residual)] = kNone;
  }

  const Layer& at(int i) const { return layers_[static_cast<std::size_t>(i)]; }
  const Shape& shape(int i) const { return graph_[at(i).node].shape; }
  template <class T>
  const T* get_if(int i) const {
    return i == kNone ? nullptr : std::get_if<T>(&graph_[at(i).node].op);
  }
  /// The layer that computes what layer i reads first, or kNone.
  int before(int i) const { return producer_[index(graph_[at(i).node].inputs[0])]; }
  /// The only layer that reads what layer i leaves, or kNone.
  int only_reader(int i) const {
    const NodeId value = at(i).value();
    return uses_[index(value)] == 1 && value != graph_.output ? reader_[index(value)] : kNone;
  }
  bool adds(int i) const { return residual_of(graph_, at(i)) != kNobody; }

 private:
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
  const Graph& graph_;
  std::span<const Layer> layers_;
  std::vector<int> uses_;
  std::vector<int> producer_;
  std::vector<int> reader_;
};

}  // namespace

std::vector<Segment> find_segments(const Graph& graph, std::span<const Layer> all, std::int64_t value_bytes,
                                   std::int64_t least_bytes) {
  const Layers layers(graph, all);
  std::vector<Segment> segments;
  std::vector<char> taken(all.size(), 0);
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    if (!layers.get_if<Depthwise>(i)) continue;
    Segment s = {.depthwise = i};
    std::int64_t values = 0;
    const int before = layers.before(i);
    // Only the last layer of a segment adds: what is added must be there whole.
    if (layers.get_if<Convolution>(before) && layers.only_reader(before) == i && !layers.adds(before) &&
        !taken[static_cast<std::size_t>(before)]) {
      s.before = before;
      values += layers.shape(before).size();
    }
    const int behind = layers.only_reader(i);
    if (const auto* op = layers.get_if<Convolution>(behind); op && op->window == Window{}) {
      // A layer between two depthwise ones goes with the larger of its two sides.
      const std::int64_t between = layers.shape(behind).size();
      const int next = layers.only_reader(behind);
      const bool left_to_next = layers.get_if<Depthwise>(next) && !layers.adds(behind) &&
                                between > layers.shape(i).size() && between * value_bytes > least_bytes;
      if (!left_to_next) {
        s.behind = behind;
        values += layers.shape(i).size();
      }
    }
    if (values * value_bytes <= least_bytes) continue;
    taken[static_cast<std::size_t>(s.behind.value_or(i))] = 1;
    segments.push_back(s);
  }
  return segments;
}

}  // namespace linnet::plan
