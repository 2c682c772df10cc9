#include "plan/ram_target.h"

#include <algorithm>
#include <map>
#include <optional>

#include "plan/placement.h"
#include "plan/takeovers.h"
#include "plan/walk.h"

namespace linnet::plan {
namespace {

/// Pixels at once: what is tried.
constexpr std::int64_t kTiles[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256};

/// A stage with what it needs of memory.
struct Measured {
  Stage stage;
  std::vector<bool> whole;  ///< one a layer
  StageMemory memory;
  std::int64_t scratch = 0;
  std::int64_t own = 0;   ///< bytes of rings, sums and scratch
  std::int64_t live = 0;  ///< with what exists whole meanwhile, overlaps counted once
};

class Planner {
 public:
  Planner(const Graph& graph, const RamTarget& target)
      : graph_(graph), target_(target), layers_(needed_layers()), last_reader_(graph.nodes.size(), kUnread) {
    made_by_.assign(graph.nodes.size(), -1);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      made_by_[index(layers_[i].value())] = static_cast<int>(i);
      for (const NodeId input : inputs_of(graph_, {{layers_[i]}}))
        last_reader_[index(input)] = static_cast<int>(i);
    }
    last_reader_[index(graph.output)] = layers();
  }

  int layers() const { return static_cast<int>(layers_.size()); }
  const Layer& layer(int i) const { return layers_[static_cast<std::size_t>(i)]; }

  /// Layers [begin, end) as a stage.
  Measured measured(int begin, int end, std::int64_t tile) const {
    Measured m;
    const auto add = [&](Layer layer) {
      layer.tile = std::min(tile, steps_of(layer));
      m.stage.layers.push_back(layer);
      // The Input is read again by every stage that needs it.
      m.whole.push_back(layer.node == 0 ? graph_.output == 0 : last_reader_[index(layer.value())] >= end);
      if (target_.scratch_bytes) m.scratch = std::max(m.scratch, target_.scratch_bytes(layer, layer.tile));
    };
    if (reads_image(begin, end)) add({.node = 0});
    for (int i = begin; i < end; ++i) add(layer(i));
    m.memory = measure(graph_, m.stage, m.whole, target_.value_bytes);
    for (std::size_t i = 0; i < m.stage.layers.size(); ++i) {
      const NodeId value = m.stage.layers[i].value();
      if (!m.whole[i]) m.own += m.memory.ring[i] * pixel_bytes(value);
      m.own += sums_bytes(m.stage.layers[i]);
    }
    m.own += m.scratch;
    m.live = m.own + wholes_bytes(begin, end, m.memory);
    return m;
  }

  /// Where the stages are cut so that the largest takes as few bytes as can be, of stages with `tile`.
  std::vector<int> cuts(std::int64_t tile) const {
    struct Best {
      std::int64_t largest = INT64_MAX;
      std::int64_t sum = 0;
      int from = 0;
      auto key() const { return std::pair(largest, sum); }
    };
    // No stage of a good plan takes more than the worst layer alone: longer ones are not tried.
    std::int64_t limit = 0;
    for (int i = 0; i < layers(); ++i) limit = std::max(limit, measured(i, i + 1, tile).live);
    std::vector<Best> best(static_cast<std::size_t>(layers()) + 1);
    best[0].largest = 0;
    for (int begin = 0; begin < layers(); ++begin) {
      const Best& before = best[static_cast<std::size_t>(begin)];
      if (before.largest == INT64_MAX) continue;
      for (int end = begin + 1; end <= layers(); ++end) {
        const Measured m = measured(begin, end, tile);
        const Best now = {std::max(before.largest, m.live), before.sum + m.live, begin};
        Best& there = best[static_cast<std::size_t>(end)];
        if (now.key() < there.key()) there = now;
        if (m.own > limit) break;
      }
    }
    std::vector<int> cuts = {layers()};
    while (cuts.back() > 0) cuts.push_back(best[static_cast<std::size_t>(cuts.back())].from);
    std::ranges::reverse(cuts);
    return cuts;
  }

  /// The plan of these stages, placed.
  Plan placed(const std::vector<Measured>& stages) const {
    Plan plan;
    plan.value_bytes = target_.value_bytes;
    std::vector<Block> blocks;
    const auto add = [&](Buffer buffer, int first, int last, std::int64_t alignment) {
      buffer.first = first;
      buffer.last = last;
      buffer.stride = buffer.bytes;
      plan.buffers.push_back(buffer);
      blocks.push_back({buffer.bytes, first, last, alignment});
    };
    std::vector<int> made_in(graph_.nodes.size(), -1);
    std::vector<int> read_in(graph_.nodes.size(), -1);
    const int count = static_cast<int>(stages.size());
    for (int s = 0; s < count; ++s) {
      const Measured& m = stages[static_cast<std::size_t>(s)];
      plan.stages.push_back(m.stage);
      for (const NodeId input : inputs_of(graph_, m.stage)) read_in[index(input)] = s;
      for (std::size_t i = 0; i < m.stage.layers.size(); ++i) {
        const Layer& layer = m.stage.layers[i];
        const NodeId value = layer.value();
        if (m.whole[i])
          made_in[index(value)] = s;
        else
          add({.kind = Buffer::Kind::kRing,
               .value = value,
               .pixels = m.memory.ring[i],
               .bytes = m.memory.ring[i] * pixel_bytes(value)},
              s, s, target_.value_bytes);
        if (const std::int64_t bytes = sums_bytes(layer); bytes > 0)
          add({.kind = Buffer::Kind::kSums, .value = value, .bytes = bytes}, s, s, kSumBytes);
      }
      if (m.scratch > 0)
        add({.kind = Buffer::Kind::kScratch, .bytes = m.scratch}, s, s, target_.scratch_alignment);
    }
    read_in[index(graph_.output)] = count - 1;
    std::map<NodeId, int> buffer_of;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      if (made_in[index(id)] < 0) continue;
      buffer_of[id] = static_cast<int>(plan.buffers.size());
      const Shape& shape = graph_[id].shape;
      add({.kind = Buffer::Kind::kWhole,
           .value = id,
           .pixels = shape.pixels(),
           .bytes = shape.size() * target_.value_bytes},
          made_in[index(id)], read_in[index(id)], target_.value_bytes);
    }
    std::vector<Sharing> sharings;
    for (int s = 0; s < count; ++s)
      for (const StageMemory::Overlap& o : stages[static_cast<std::size_t>(s)].memory.overlaps)
        if (buffer_of.contains(o.in) && read_in[index(o.in)] == s)
          sharings.push_back({buffer_of[o.out], buffer_of[o.in], o.distance, o.same_place});
    const Placement placement = place(blocks, sharings);
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) plan.buffers[i].offset = placement.offsets[i];
    plan.arena_bytes = placement.bytes;
    return plan;
  }

 private:
  static constexpr int kUnread = -1;
  static constexpr std::int64_t kSumBytes = 4;
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
  std::int64_t pixel_bytes(NodeId value) const { return graph_[value].shape.c * target_.value_bytes; }

  /// Those that the scores depend on.
  std::vector<Layer> needed_layers() const {
    std::vector<Layer> layers = layers_with_takeovers(graph_);
    std::vector<bool> needed(graph_.nodes.size(), false);
    needed[index(graph_.output)] = true;
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
      if (needed[index(layer->value())])
        for (const NodeId input : inputs_of(graph_, {{*layer}})) needed[index(input)] = true;
    std::erase_if(layers, [&](const Layer& l) { return !needed[index(l.value())]; });
    return layers;
  }

  bool reads_image(int begin, int end) const {
    if (target_.callers_image) return false;
    if (layers() == 0) return true;
    for (int i = begin; i < end; ++i)
      if (inputs_of(graph_, {{layer(i)}}).front() == 0) return true;
    return false;
  }

  std::int64_t steps_of(const Layer& layer) const {
    const Node& node = graph_[layer.node];
    const bool pools = std::holds_alternative<GlobalAveragePool>(node.op);
    return (pools ? graph_[node.inputs[0]] : node).shape.pixels();
  }

  std::int64_t sums_bytes(const Layer& layer) const {
    const Node& node = graph_[layer.node];
    return std::holds_alternative<GlobalAveragePool>(node.op) ? node.shape.c * kSumBytes : 0;
  }

  /// Of what exists whole while layers [begin, end) run, with the best of the overlaps.
  std::int64_t wholes_bytes(int begin, int end, const StageMemory& memory) const {
    std::int64_t bytes = 0;
    const auto bytes_of = [&](NodeId id) { return graph_[id].shape.pixels() * pixel_bytes(id); };
    const auto is_emptied = [&](NodeId id) { return last_reader_[index(id)] < end; };
    for (NodeId id = 1; id < graph_.size(); ++id) {
      const int made = made_by_[index(id)];
      const int last = last_reader_[index(id)];
      const bool comes_in = made >= 0 && made < begin && last >= begin;
      const bool goes_out = made >= begin && made < end && last >= end;
      if (comes_in || goes_out) bytes += bytes_of(id);
    }
    std::int64_t saved = 0;
    for (const StageMemory::Overlap& o : memory.overlaps) {
      if (o.in == 0 || !is_emptied(o.in)) continue;
      const std::int64_t distance = o.same_place ? 0 : std::max<std::int64_t>(o.distance, 0);
      const std::int64_t both = std::max(bytes_of(o.out), distance + bytes_of(o.in));
      saved = std::max(saved, bytes_of(o.out) + bytes_of(o.in) - both);
    }
    return bytes - saved;
  }

  const Graph& graph_;
  const RamTarget& target_;
  std::vector<Layer> layers_;
  std::vector<int> made_by_;      ///< the layer that computes a value, or -1
  std::vector<int> last_reader_;  ///< of a value: a layer, layers() for the scores
};

std::string stage_text(const Graph& graph, const Stage& stage) {
  return fmt::format("\"{}\" to \"{}\"", graph[stage.layers.front().node].name,
                     graph[stage.layers.back().value()].name);
}

/// The stages between the cuts.
std::vector<Measured> stages_of(const Planner& planner, const std::vector<int>& cuts, std::int64_t tile) {
  std::vector<Measured> stages;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i)
    stages.push_back(planner.measured(cuts[i], cuts[i + 1], tile));
  if (stages.empty()) {
    Measured only = planner.measured(0, 0, tile);
    if (!only.stage.layers.empty()) stages.push_back(std::move(only));
  }
  return stages;
}

/// Stages with where they are cut and the plan that places them.
struct Candidate {
  std::vector<int> cuts;
  std::vector<Measured> stages;
  Plan plan;
};

Candidate candidate(const Planner& planner, std::int64_t tile) {
  Candidate c;
  c.cuts = planner.cuts(tile);
  c.stages = stages_of(planner, c.cuts, tile);
  c.plan = planner.placed(c.stages);
  return c;
}

}  // namespace

Plan plan_for_least_ram(const Graph& graph, const RamTarget& target) {
  return candidate(Planner(graph, target), kTiles[0]).plan;
}

Result<Plan> plan_for_ram(const Graph& graph, const RamTarget& target) {
  const Planner planner(graph, target);
  Candidate best = candidate(planner, kTiles[0]);
  if (best.plan.arena_bytes > target.ram_bytes) {
    int largest = 0;
    for (int s = 0; s < static_cast<int>(best.plan.stages.size()); ++s)
      if (live_bytes(best.plan, s) > live_bytes(best.plan, largest)) largest = s;
    return fail("{}: {} bytes of RAM are not enough; the least is {}, for stage {} of {}, {}", graph.name,
                target.ram_bytes, best.plan.arena_bytes, largest + 1, best.plan.stages.size(),
                stage_text(graph, best.plan.stages[static_cast<std::size_t>(largest)]));
  }
  // The largest tile with which all stages fit.
  for (const std::int64_t tile : std::span(kTiles).subspan(1)) {
    Candidate larger = candidate(planner, tile);
    if (larger.plan.arena_bytes > target.ram_bytes) break;
    best = std::move(larger);
  }
  // Then each stage on its own, as long as the whole still fits.
  for (std::size_t s = 0; s < best.stages.size() && s + 1 < best.cuts.size(); ++s)
    for (const std::int64_t tile : kTiles) {
      std::vector<Measured> larger = best.stages;
      larger[s] = planner.measured(best.cuts[s], best.cuts[s + 1], tile);
      if (larger[s].stage == best.stages[s].stage || larger[s].own < best.stages[s].own) continue;
      Plan plan = planner.placed(larger);
      if (plan.arena_bytes > target.ram_bytes) break;
      best.plan = std::move(plan);
      best.stages = std::move(larger);
    }
  return std::move(best.plan);
}

Result<Plan> plan_one_stage(const Graph& graph, const RamTarget& target, std::int64_t tile) {
  const Planner planner(graph, target);
  const std::vector<Measured> stages = stages_of(planner, {0, planner.layers()}, tile);
  for (const Measured& m : stages)
    for (const Layer& layer : m.stage.layers) {
      const Node& node = graph[layer.node];
      if (!std::holds_alternative<Multiply>(node.op) || node.shape.pixels() == 1) continue;
      return fail(
          "{}: node \"{}\" multiplies \"{}\" by a gate that needs all of it first, so the graph cannot run "
          "as "
          "one stage; MobileNetV1, V2 and V4 have no such gates",
          graph.name, node.name, graph[node.inputs[0]].name);
    }
  return planner.placed(stages);
}

}  // namespace linnet::plan
