#include "plan/cpu_target.h"

#include <algorithm>

#include "base/aligned.h"
#include "plan/placement.h"
#include "plan/segments.h"
#include "plan/takeovers.h"

namespace linnet::plan {
namespace {

class Planner {
 public:
  Planner(const Graph& graph, const CpuTarget& target) : graph_(graph), target_(target) {
    plan_.value_bytes = target.value_bytes;
  }

  Plan run() {
    make_stages();
    for (int s = 0; s < stages(); ++s) add_stage_buffers(s);
    add_wholes();
    return std::move(plan_);
  }

 private:
  int stages() const { return static_cast<int>(plan_.stages.size()); }
  const Stage& stage(int s) const { return plan_.stages[static_cast<std::size_t>(s)]; }

  void make_stages() {
    const std::vector<Layer> layers =
        target_.node_by_node ? single_layers(graph_) : layers_with_takeovers(graph_);
    std::vector<Segment> segments;
    if (!target_.node_by_node)
      segments = find_segments(graph_, layers, target_.value_bytes, target_.fuse_above_bytes);
    // A segment runs where its last layer would.
    std::vector<Stage> at(layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) at[i].layers = {layers[i]};
    for (const Segment& s : segments) {
      Stage joined;
      for (const std::optional<int> i : {s.before, std::optional(s.depthwise), s.behind}) {
        if (!i) continue;
        joined.layers.push_back(layers[static_cast<std::size_t>(*i)]);
        at[static_cast<std::size_t>(*i)].layers.clear();
      }
      at[static_cast<std::size_t>(s.behind.value_or(s.depthwise))] = std::move(joined);
    }
    std::ranges::copy_if(at, std::back_inserter(plan_.stages),
                         [](const Stage& s) { return !s.layers.empty(); });
  }

  std::int64_t row_bytes(NodeId value) const {
    const Shape& shape = graph_[value].shape;
    return std::int64_t{shape.w} * shape.c * target_.value_bytes;
  }

  /// Rings and scratch of a stage, at the start of the arena, a thread's behind one another.
  void add_stage_buffers(int s) {
    const std::size_t first = plan_.buffers.size();
    std::int64_t end = 0;  // of a thread's
    const auto add = [&](Buffer buffer) {
      buffer.copies = target_.threads;
      buffer.offset = end;
      buffer.first = buffer.last = s;
      end += whole_lines(buffer.bytes);
      plan_.buffers.push_back(buffer);
    };
    std::vector<Layer>& layers = plan_.stages[static_cast<std::size_t>(s)].layers;
    if (layers.size() > 1) {
      const auto is_depthwise = [&](const Layer& l) {
        return std::holds_alternative<Depthwise>(graph_[l.node].op);
      };
      const auto depthwise = std::ranges::find_if(layers, is_depthwise);
      const Window& window = std::get<Depthwise>(graph_[depthwise->node].op).window;
      const bool has_before = depthwise != layers.begin();
      const bool has_behind = depthwise + 1 != layers.end();
      const NodeId in = has_before ? layers.front().value() : kNobody;
      const auto ring_rows = [&](int step) { return (step - 1) * window.stride_h + window.kernel_h; };
      const auto rows_bytes = [&](int step) {
        return (has_before ? whole_lines(ring_rows(step) * row_bytes(in)) : 0) +
               (has_behind ? whole_lines(step * row_bytes(depthwise->value())) : 0);
      };
      // As many rows a block as there is room for: weights are then loaded as seldom as can be.
      const Shape& out = graph_[depthwise->node].shape;
      int step = 1;
      while (step < std::min(out.h, kMostRows) && rows_bytes(step + 1) <= target_.rows_bytes) ++step;
      const auto add_rows = [&](NodeId value, int rows) {
        add({.kind = Buffer::Kind::kRing,
             .value = value,
             .pixels = std::int64_t{rows} * graph_[value].shape.w,
             .bytes = rows * row_bytes(value)});
      };
      if (has_before) add_rows(in, ring_rows(step));
      if (has_behind) add_rows(depthwise->value(), step);
      if (has_before) layers.front().tile = std::int64_t{ring_rows(step)} * graph_[in].shape.w;
      for (auto layer = depthwise; layer != layers.end(); ++layer) layer->tile = std::int64_t{step} * out.w;
    }
    std::int64_t scratch = 0;
    for (const Layer& layer : layers)
      if (target_.scratch_bytes) scratch = std::max(scratch, target_.scratch_bytes(layer.node));
    if (scratch > 0) add({.kind = Buffer::Kind::kScratch, .bytes = scratch});
    for (std::size_t b = first; b < plan_.buffers.size(); ++b) plan_.buffers[b].stride = end;
    plan_.stage_bytes = std::max(plan_.stage_bytes, end * target_.threads);
  }

  /// Whether all of a value is stored in the arena.
  bool is_stored(NodeId value) const {
    return !(value == 0 && target_.callers_images) && !(value == graph_.output && target_.callers_scores);
  }

  /// Values that exist whole, behind what the stages use anew.
  void add_wholes() {
    constexpr int kUnread = -1;
    std::vector<int> last(graph_.nodes.size(), kUnread);
    for (int s = 0; s < stages(); ++s)
      for (const NodeId value : inputs_of(graph_, stage(s))) last[static_cast<std::size_t>(value)] = s;
    last[static_cast<std::size_t>(graph_.output)] = std::max(stages() - 1, 0);

    const std::size_t first_whole = plan_.buffers.size();
    const auto add = [&](NodeId value, int stage) {
      if (!is_stored(value)) return;
      const Shape& shape = graph_[value].shape;
      const std::int64_t bytes = shape.size() * target_.value_bytes;
      plan_.buffers.push_back({.kind = Buffer::Kind::kWhole,
                               .value = value,
                               .pixels = shape.pixels(),
                               .bytes = bytes,
                               .stride = bytes,
                               .first = stage,
                               .last = std::max(stage, last[static_cast<std::size_t>(value)])});
    };
    add(0, 0);
    for (int s = 0; s < stages(); ++s) add(stage(s).layers.back().value(), s);

    const std::span wholes = std::span(plan_.buffers).subspan(first_whole);
    std::vector<Block> blocks;
    for (const Buffer& b : wholes)
      blocks.push_back({b.bytes, b.first, b.last, static_cast<std::int64_t>(kCacheLine)});
    const Placement placement = place(blocks, in_place(wholes));
    for (std::size_t i = 0; i < wholes.size(); ++i)
      wholes[i].offset = plan_.stage_bytes + placement.offsets[i];
    plan_.arena_bytes = plan_.stage_bytes + placement.bytes;
  }

  /// What a stage of one layer may compute in the place of its input.
  std::vector<Sharing> in_place(std::span<const Buffer> wholes) const {
    const auto find_whole = [&](NodeId value) {
      return static_cast<int>(std::ranges::find(wholes, value, &Buffer::value) - wholes.begin());
    };
    std::vector<Sharing> sharings;
    for (int s = 0; s < stages(); ++s) {
      if (stage(s).layers.size() != 1) continue;
      const Layer& layer = stage(s).layers.front();
      const int to = find_whole(layer.value());
      if (to == static_cast<int>(wholes.size())) continue;
      for (const NodeId input : read_element_by_element(layer)) {
        const int from = find_whole(input);
        if (from == static_cast<int>(wholes.size()) || wholes[static_cast<std::size_t>(from)].last != s ||
            graph_[input].shape != graph_[layer.value()].shape || input == 0)
          continue;
        sharings.push_back({to, from, Sharing::kNever, true});
      }
    }
    return sharings;
  }

  std::vector<NodeId> read_element_by_element(const Layer& layer) const {
    const Node& node = graph_[layer.node];
    if (std::holds_alternative<Add>(node.op) || std::holds_alternative<Multiply>(node.op) ||
        std::holds_alternative<Activate>(node.op))
      return node.inputs;
    const NodeId residual = residual_of(graph_, layer);
    if (residual != kNobody && std::ranges::find(node.inputs, residual) == node.inputs.end())
      return {residual};
    return {};
  }

  static constexpr int kMostRows = 8;
  const Graph& graph_;
  const CpuTarget& target_;
  Plan plan_;
};

}  // namespace

Plan plan_for_cpu(const Graph& graph, const CpuTarget& target) { return Planner(graph, target).run(); }

}  // namespace linnet::plan
