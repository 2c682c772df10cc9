// For tests: replays a plan for a number of bytes of RAM with an owner for every byte.
//
// It knows nothing of how the planner works: what a layer reads is the textbook's window, and a byte that is
// read must be owned by just that pixel of just that value.
#pragma once

#include <string>
#include <vector>

#include <fmt/core.h>

#include "plan/walk.h"

namespace linnet::plan {

class Replay {
 public:
  /// callers_image: as RamTarget says.
  Replay(const Graph& graph, const Plan& plan, bool callers_image)
      : graph_(graph),
        plan_(plan),
        callers_image_(callers_image),
        owner_(static_cast<std::size_t>(plan.arena_bytes), kNobodys),
        read_in_(owner_.size(), 0),
        read_as_(owner_.size(), 0) {}

  /// What goes wrong first, or "".
  std::string run() {
    for (stage_ = 0; stage_ < static_cast<int>(plan_.stages.size()) && wrong_.empty(); ++stage_) {
      const Stage& stage = plan_.stages[static_cast<std::size_t>(stage_)];
      Walk walk(graph_, stage);
      walk.run([&](int layer, std::int64_t begin, std::int64_t end) {
        if (wrong_.empty()) run_tile(stage.layers[static_cast<std::size_t>(layer)], begin, end);
      });
    }
    --stage_;
    if (wrong_.empty() && !(graph_.output == 0 && callers_image_))
      for (std::int64_t p = 0; p < graph_.output_shape().pixels(); ++p) read(graph_.output, p, kFlows);
    return wrong_;
  }

 private:
  using Owner = std::int64_t;
  static constexpr Owner kNobodys = -1;
  static constexpr Owner kScratch = -2;
  static constexpr std::int64_t kFlows = -1;  ///< not read just before what takes its place is written
  static Owner owner(NodeId value, std::int64_t pixel) { return (std::int64_t{value} << 32) + pixel; }
  static Owner sums(NodeId value) { return -3 - value; }

  std::int64_t pixel_bytes(NodeId value) const { return graph_[value].shape.c * plan_.value_bytes; }

  void run_tile(const Layer& layer, std::int64_t begin, std::int64_t end) {
    layer_ = &layer;
    ++tile_;
    const Node& node = graph_[layer.node];
    const NodeId value = layer.value();
    if (const Buffer* const scratch = find_scratch(plan_, stage_))
      fill(scratch->offset, scratch->bytes, kScratch);
    const bool pools = std::holds_alternative<GlobalAveragePool>(node.op);
    const Buffer* const sum = pools ? find_sums(plan_, stage_, value) : nullptr;
    if (sum && begin == 0) fill(sum->offset, sum->bytes, sums(value));
    for (std::int64_t p = begin; p < end; ++p) {
      std::visit(Overloaded{
                     [](const Input&) {},
                     [&](const Convolution& op) { read_window(node, op.window, p); },
                     [&](const Depthwise& op) { read_window(node, op.window, p); },
                     [&](const Pad& op) { read_window(node, {.padding = op.padding}, p); },
                     [&](const Multiply&) {
                       read(node.inputs[0], p, p);
                       read(node.inputs[1], 0, kFlows);
                     },
                     [&](const Linear&) { read(node.inputs[0], p, kFlows); },
                     [&](const GlobalAveragePool&) { read(node.inputs[0], p, kFlows); },
                     [&](const auto&) {
                       for (const NodeId input : node.inputs) read(input, p, p);
                     },
                 },
                 node.op);
      if (const NodeId residual = residual_of(graph_, layer); residual != kNobody) read(residual, p, p);
    }
    if (sum) check(sum->offset, sum->bytes, sums(value), "the sums");
    const bool done = end == graph_[pools ? node.inputs[0] : layer.node].shape.pixels();
    for (std::int64_t p = begin; !pools && p < end; ++p) write(value, p);
    if (pools && done) write(value, 0);
  }

  void read_window(const Node& node, const Window& window, std::int64_t p) {
    const Shape& in = graph_[node.inputs[0]].shape;
    const std::int64_t top = p / node.shape.w * window.stride_h - window.padding.top;
    const std::int64_t left = p % node.shape.w * window.stride_w - window.padding.left;
    for (std::int64_t h = std::max<std::int64_t>(top, 0);
         h < std::min<std::int64_t>(top + window.kernel_h, in.h); ++h)
      for (std::int64_t w = std::max<std::int64_t>(left, 0);
           w < std::min<std::int64_t>(left + window.kernel_w, in.w); ++w)
        read(node.inputs[0], h * in.w + w, kFlows);
  }

  void read(NodeId value, std::int64_t pixel, std::int64_t just_before) {
    if (!wrong_.empty() || (value == 0 && callers_image_)) return;
    const std::int64_t at = place(value, pixel);
    if (at < 0) return;
    check(at, pixel_bytes(value), owner(value, pixel), graph_[value].name);
    for (std::int64_t i = at; wrong_.empty() && i < at + pixel_bytes(value); ++i) {
      const auto byte = static_cast<std::size_t>(i);
      const bool both = read_in_[byte] == tile_ && read_as_[byte] != just_before;
      read_in_[byte] = tile_;
      read_as_[byte] = both ? kFlows : just_before;
    }
  }

  void write(NodeId value, std::int64_t pixel) {
    const std::int64_t at = place(value, pixel);
    if (at < 0 || !wrong_.empty()) return;
    const Buffer* const scratch = find_scratch(plan_, stage_);
    for (std::int64_t i = at; i < at + pixel_bytes(value); ++i) {
      const auto byte = static_cast<std::size_t>(i);
      if (scratch && scratch->offset <= i && i < scratch->offset + scratch->bytes)
        return report("the layer's scratch", pixel);
      if (read_in_[byte] == tile_ && read_as_[byte] != pixel)
        return report("what the same tile reads", pixel);
      owner_[byte] = owner(value, pixel);
    }
  }

  std::int64_t place(NodeId value, std::int64_t pixel) {
    const Buffer* const buffer = find(plan_, stage_, value);
    const std::int64_t bytes = pixel_bytes(value);
    if (buffer && buffer->pixels > 0) {
      const std::int64_t at = buffer->offset + pixel % buffer->pixels * bytes;
      if (at >= 0 && at + bytes <= plan_.arena_bytes && at + bytes <= buffer->offset + buffer->bytes)
        return at;
    }
    wrong_ = fmt::format("{}: pixel {} of \"{}\" has no place", where(), pixel, graph_[value].name);
    return -1;
  }

  void fill(std::int64_t offset, std::int64_t bytes, Owner with) {
    for (std::int64_t i = offset; i < offset + bytes; ++i) owner_[static_cast<std::size_t>(i)] = with;
  }

  void check(std::int64_t offset, std::int64_t bytes, Owner expected, std::string_view what) {
    for (std::int64_t i = offset; wrong_.empty() && i < offset + bytes; ++i) {
      const Owner now = owner_[static_cast<std::size_t>(i)];
      if (now == expected) continue;
      const std::string others = now >= 0          ? fmt::format("pixel {} of \"{}\"", now & 0xffffffff,
                                                                 graph_[static_cast<NodeId>(now >> 32)].name)
                                 : now == kScratch ? "scratch"
                                                   : "something else";
      wrong_ = fmt::format("{}: byte {} should be pixel {} of \"{}\", and is {}", where(), i,
                           expected & 0xffffffff, what, others);
    }
  }

  void report(std::string_view what, std::int64_t pixel) {
    wrong_ = fmt::format("{}: pixel {} is written over {}", where(), pixel, what);
  }

  std::string where() const {
    return fmt::format("stage {}, layer \"{}\"", stage_, layer_ ? graph_[layer_->node].name : "");
  }

  const Graph& graph_;
  const Plan& plan_;
  bool callers_image_;
  std::vector<Owner> owner_;           ///< of every byte
  std::vector<std::int64_t> read_in_;  ///< the last tile that read it,
  std::vector<std::int64_t> read_as_;  ///< just before which output pixel is written
  std::int64_t tile_ = 0;
  int stage_ = 0;
  const Layer* layer_ = nullptr;
  std::string wrong_;
};

}  // namespace linnet::plan
