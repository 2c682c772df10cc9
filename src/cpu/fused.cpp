#include "cpu/fused.h"

#include <algorithm>
#include <chrono>

#include "cpu/layer_parts.h"
#include "cpu/memory.h"

namespace linnet::cpu {
namespace {

bool is_pointwise(const Convolution& op) { return op.window == Window{}; }

/// Adds the time since the last call to a stage's.
class StageClock {
 public:
  explicit StageClock(double* seconds) : seconds_(seconds) {
    if (seconds_) last_ = std::chrono::steady_clock::now();
  }
  void add_to(int stage) {
    if (!seconds_) return;
    const auto now = std::chrono::steady_clock::now();
    seconds_[stage] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  double* seconds_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace

std::int64_t value_bytes(const Graph& graph) { return is_int8(graph) ? 1 : sizeof(float); }

std::vector<Segment> find_segments(const Graph& graph, std::span<const NodeId> taken_over_by,
                                   std::int64_t least_bytes) {
  const auto index = [](NodeId id) { return static_cast<std::size_t>(id); };
  const std::vector<int> uses = count_uses(graph);
  // The layer that computes a node, and the node whose value a layer leaves behind: an Activate is part of
  // the layer, an Add is not, since only the last layer of a segment can have one.
  const auto layer_of = [&](NodeId id) {
    const bool activates = std::holds_alternative<Activate>(graph[id].op);
    return activates && taken_over_by[index(id)] != Segment::kAbsent ? taken_over_by[index(id)] : id;
  };
  std::vector<NodeId> value(graph.nodes.size());
  std::vector<NodeId> reader(graph.nodes.size(), Segment::kAbsent);
  for (NodeId id = 0; id < graph.size(); ++id) {
    value[index(id)] = id;
    value[index(layer_of(id))] = id;
    for (const NodeId input : graph[id].inputs) reader[index(input)] = id;
  }
  /// The only layer that reads what layer `id` leaves, or kAbsent.
  const auto only_reader = [&](NodeId id) {
    const NodeId v = value[index(id)];
    return uses[index(v)] == 1 && v != graph.output ? reader[index(v)] : Segment::kAbsent;
  };
  const auto holds_depthwise = [&](NodeId id) {
    return id != Segment::kAbsent && std::holds_alternative<Depthwise>(graph[id].op);
  };
  const std::int64_t bytes = value_bytes(graph);

  std::vector<Segment> segments;
  std::vector<char> taken(graph.nodes.size(), 0);
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!holds_depthwise(id)) continue;
    Segment s;
    s.depthwise = id;
    std::int64_t values = 0;
    const NodeId before = layer_of(graph[id].inputs[0]);
    if (std::holds_alternative<Convolution>(graph[before].op) && only_reader(before) == id &&
        !taken[index(before)]) {
      s.before = before;
      values += graph[before].shape.size();
    }
    if (const NodeId behind = only_reader(id); behind != Segment::kAbsent) {
      const auto* op = std::get_if<Convolution>(&graph[behind].op);
      // A chain of depthwise and pointwise layers: each pointwise one goes with the larger of its two sides.
      const std::int64_t between = graph[behind].shape.size();
      const bool left_to_next = holds_depthwise(only_reader(behind)) && between > graph[id].shape.size() &&
                                between * bytes > least_bytes;
      if (op && is_pointwise(*op) && !left_to_next) {
        s.behind = behind;
        values += graph[id].shape.size();
      }
    }
    if (values * bytes <= least_bytes) continue;
    taken[index(s.last())] = 1;
    segments.push_back(s);
  }
  return segments;
}

FusedLayer::FusedLayer(const Graph& graph, const Segment& segment,
                       std::span<const std::unique_ptr<Layer>> layers)
    : value_(value_bytes(graph)),
      window_(std::get<Depthwise>(graph[segment.depthwise].op).window),
      in_(graph[graph[segment.depthwise].inputs[0]].shape),
      middle_(graph[segment.depthwise].shape),
      out_(graph[segment.last()].shape) {
  const auto layer = [&](NodeId id) {
    return id == Segment::kAbsent ? nullptr
                                  : static_cast<const RowLayer*>(layers[static_cast<std::size_t>(id)].get());
  };
  before_ = layer(segment.before);
  depthwise_ = layer(segment.depthwise);
  behind_ = layer(segment.behind);

  // As many rows a block as fit a part of the L2 cache: weights are then loaded as seldom as can be.
  constexpr std::int64_t kBlockBytes = 192 * 1024;
  const auto bytes = [&](int step) {
    const std::int64_t ring = std::int64_t{step - 1} * window_.stride_h + window_.kernel_h;
    return (before_ ? whole_lines(ring * row_bytes(in_)) : 0) +
           (behind_ ? whole_lines(step * row_bytes(middle_)) : 0);
  };
  while (step_ < std::min(middle_.h, 8) && bytes(step_ + 1) <= kBlockBytes) ++step_;
  ring_ = (step_ - 1) * window_.stride_h + window_.kernel_h;
  scratch_ = bytes(step_);
  for (const RowLayer* stage : {before_, depthwise_, behind_})
    if (stage) stage_scratch_ = std::max(stage_scratch_, whole_lines(stage->scratch()));
  scratch_ += stage_scratch_;
}

void FusedLayer::run(const LayerIo& io, const Worker& worker) const {
  const int blocks = (middle_.h + step_ - 1) / step_;
  const int thread = worker.thread();
  run_blocks(io, split(blocks, thread, worker.threads()), io.scratch + thread * scratch_,
             thread == 0 ? io.stage_seconds : nullptr);
}

void FusedLayer::run_blocks(const LayerIo& io, Range blocks, std::byte* scratch,
                            double* stage_seconds) const {
  std::byte* const ring = scratch;
  std::byte* const block = ring + (before_ ? whole_lines(ring_ * row_bytes(in_)) : 0);
  std::byte* const stage_scratch = block + (behind_ ? whole_lines(step_ * row_bytes(middle_)) : 0);
  StageClock clock(stage_seconds);
  std::int64_t computed = 0;  // rows of the ring before this one are there, or no longer needed
  for (std::int64_t b = blocks.begin; b < blocks.end; ++b) {
    const Range rows = {b * step_, std::min<std::int64_t>((b + 1) * step_, middle_.h)};
    if (before_) {
      const std::int64_t low = rows.begin * window_.stride_h - window_.padding.top;
      const std::int64_t high = (rows.end - 1) * window_.stride_h - window_.padding.top + window_.kernel_h;
      const std::int64_t end = std::min<std::int64_t>(high, in_.h);
      for (computed = std::max({computed, low, std::int64_t{0}}); computed < end;) {
        const std::int64_t slot = computed % ring_;
        const std::int64_t count = std::min(end - computed, ring_ - slot);
        LayerIo part;
        part.a = io.a;
        part.y = ring + slot * row_bytes(in_);
        part.scratch = stage_scratch;
        before_->run_rows(part, before_->input_rows(), {computed, computed + count});
        computed += count;
      }
      clock.add_to(0);
    }
    LayerIo part;
    part.a = before_ ? ring : io.a;
    part.y = behind_ ? block : io.y + rows.begin * row_bytes(middle_);
    part.scratch = stage_scratch;
    depthwise_->run_rows(part, before_ ? ring_ : in_.h, rows);
    clock.add_to(1);
    if (!behind_) continue;
    const std::ptrdiff_t offset = rows.begin * row_bytes(out_);
    part.a = block;
    part.y = io.y + offset;
    part.residual = io.residual ? io.residual + offset : nullptr;
    behind_->run_rows(part, step_, rows);  // rows.begin is a multiple of step_: the block begins at slot 0
    clock.add_to(2);
  }
}

}  // namespace linnet::cpu
