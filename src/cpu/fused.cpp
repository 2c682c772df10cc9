#include "cpu/fused.h"

#include <algorithm>
#include <chrono>

#include "cpu/layer_parts.h"

namespace linnet::cpu {
namespace {

/// Adds the time since the last call to a layer's.
class StageClock {
 public:
  explicit StageClock(double* seconds) : seconds_(seconds) {
    if (seconds_) last_ = std::chrono::steady_clock::now();
  }
  void add_to(int layer) {
    if (!seconds_) return;
    const auto now = std::chrono::steady_clock::now();
    seconds_[layer] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  double* seconds_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace

FusedLayer::FusedLayer(const Graph& graph, const plan::Plan& plan, int stage,
                       std::span<const std::unique_ptr<Layer>> layers)
    : value_(plan.value_bytes) {
  for (const plan::Layer& layer : plan.stages[static_cast<std::size_t>(stage)].layers) {
    const Node& node = graph[layer.node];
    const auto* rows = static_cast<const RowLayer*>(layers[static_cast<std::size_t>(layer.node)].get());
    const plan::Buffer* const ring = plan::find(plan, stage, layer.value());
    if (const auto* op = std::get_if<Depthwise>(&node.op)) {
      depthwise_ = rows;
      window_ = op->window;
      in_ = graph[node.inputs[0]].shape;
      middle_ = node.shape;
      step_ = static_cast<int>(layer.tile / middle_.w);
      if (ring && ring->kind == plan::Buffer::Kind::kRing) block_offset_ = ring->offset;
    } else if (!depthwise_) {
      before_ = rows;
      ring_ = static_cast<int>(ring->pixels / node.shape.w);
      ring_offset_ = ring->offset;
      thread_bytes_ = ring->stride;
    } else {
      behind_ = rows;
      thread_bytes_ = plan::find(plan, stage, node.inputs[0])->stride;
    }
    out_ = node.shape;
  }
  if (const plan::Buffer* const scratch = plan::find_scratch(plan, stage)) scratch_offset_ = scratch->offset;
}

void FusedLayer::run(const LayerIo& io, const Worker& worker) const {
  const int thread = worker.thread();
  run_rows(io, split(middle_.h, thread, worker.threads()), io.scratch + thread * thread_bytes_,
           thread == 0 ? io.stage_seconds : nullptr);
}

void FusedLayer::run_rows(const LayerIo& io, Range all, std::byte* scratch, double* stage_seconds) const {
  std::byte* const ring = scratch + ring_offset_;
  std::byte* const block = scratch + block_offset_;
  std::byte* const kernel_scratch = scratch + scratch_offset_;
  const int depthwise_layer = before_ ? 1 : 0;
  StageClock clock(stage_seconds);
  std::int64_t computed = 0;  // rows of the ring before this one are there, or no longer needed
  for (std::int64_t first = all.begin; first < all.end; first += step_) {
    const Range rows = {first, std::min(first + step_, all.end)};
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
        part.scratch = kernel_scratch;
        before_->run_rows(part, before_->input_rows(), {computed, computed + count});
        computed += count;
      }
      clock.add_to(0);
    }
    LayerIo part;
    part.a = before_ ? ring : io.a;
    part.y = behind_ ? block : io.y + rows.begin * row_bytes(middle_);
    part.scratch = kernel_scratch;
    depthwise_->run_rows(part, before_ ? ring_ : in_.h, rows);
    clock.add_to(depthwise_layer);
    if (!behind_) continue;
    const std::ptrdiff_t offset = rows.begin * row_bytes(out_);
    part.a = block;
    part.y = io.y + offset;
    part.residual = io.residual ? io.residual + offset : nullptr;
    behind_->run_rows(part, step_, {0, rows.end - rows.begin});
    clock.add_to(depthwise_layer + 1);
  }
}

}  // namespace linnet::cpu
