#include "plan/walk.h"

namespace linnet::plan {

std::int64_t Link::needed(std::int64_t end) const {
  if (kind == Kind::kPixel) return end;
  if (kind == Kind::kWhole) return in.pixels();
  const auto up_to = [&](std::int64_t pixel) -> std::int64_t {
    const std::int64_t h = pixel / out.w * window.stride_h - window.padding.top + window.kernel_h - 1;
    const std::int64_t w = pixel % out.w * window.stride_w - window.padding.left + window.kernel_w - 1;
    if (h < 0 || w < 0) return 0;
    return std::min<std::int64_t>(h, in.h - 1) * in.w + std::min<std::int64_t>(w, in.w - 1) + 1;
  };
  return up_to(end - 1);
}

std::int64_t Link::released(std::int64_t done) const {
  if (kind == Kind::kPixel) return done;
  const std::int64_t all = in.pixels();
  if (done == out.pixels()) return all;
  if (kind == Kind::kWhole) return 0;
  const std::int64_t h = done / out.w;
  const auto top = [&](std::int64_t ho) {
    return std::max<std::int64_t>(ho * window.stride_h - window.padding.top, 0);
  };
  const std::int64_t left = std::max<std::int64_t>(done % out.w * window.stride_w - window.padding.left, 0);
  const std::int64_t here = left < in.w ? top(h) * in.w + left : all;
  // Above the image windows of the next row may still begin in the same one.
  const std::int64_t next = h + 1 < out.h ? top(h + 1) * in.w : all;
  return std::min({here, next, all});
}

Walk::Walk(const Graph& graph, const Stage& stage) {
  for (const Layer& layer : stage.layers) {
    const Node& node = graph[layer.node];
    State state;
    state.tile = std::max<std::int64_t>(layer.tile, 1);
    state.pools = std::holds_alternative<GlobalAveragePool>(node.op);
    state.steps = state.pools ? graph[node.inputs[0]].shape.pixels() : node.shape.pixels();
    state.links = links_of(graph, stage, layer);
    for (const Link& link : state.links)
      if (link.kind == Link::Kind::kWindow) state.row = node.shape.w;
    layers_.push_back(std::move(state));
  }
}

std::vector<Link> Walk::links_of(const Graph& graph, const Stage& stage, const Layer& layer) const {
  const Node& node = graph[layer.node];
  std::vector<Link> links;
  const auto add = [&](Link::Kind kind, NodeId value, bool in_place) {
    Link link = {
        .kind = kind, .value = value, .in_place = in_place, .in = graph[value].shape, .out = node.shape};
    for (std::size_t i = 0; i < stage.layers.size(); ++i)
      if (stage.layers[i].value() == value) link.from = static_cast<int>(i);
    links.push_back(link);
  };
  const auto add_window = [&](const Window& window) {
    add(window == Window{} ? Link::Kind::kPixel : Link::Kind::kWindow, node.inputs[0], false);
    links.back().window = window;
  };
  std::visit(Overloaded{
                 [](const Input&) {},
                 [&](const Convolution& op) { add_window(op.window); },
                 [&](const Depthwise& op) { add_window(op.window); },
                 [&](const Pad& op) { add_window({.padding = op.padding}); },
                 [&](const Multiply&) {
                   add(Link::Kind::kWhole, node.inputs[1], false);
                   add(Link::Kind::kPixel, node.inputs[0], true);
                 },
                 [&](const Linear&) { add(Link::Kind::kPixel, node.inputs[0], false); },
                 [&](const GlobalAveragePool&) { add(Link::Kind::kPixel, node.inputs[0], false); },
                 [&](const auto&) {  // element by element
                   for (const NodeId input : node.inputs) add(Link::Kind::kPixel, input, true);
                 },
             },
             node.op);
  if (const NodeId residual = residual_of(graph, layer); residual != kNobody)
    add(Link::Kind::kPixel, residual, true);
  return links;
}

StageMemory measure(const Graph& graph, const Stage& stage, const std::vector<bool>& whole,
                    std::int64_t value_bytes) {
  Walk walk(graph, stage);
  const auto layers = static_cast<std::size_t>(walk.size());
  struct Reader {
    int layer;
    const Link* link;
  };
  std::vector<std::vector<Reader>> readers(layers);
  const std::vector<NodeId> inputs = inputs_of(graph, stage);
  std::vector<std::vector<Reader>> input_readers(inputs.size());
  for (int i = 0; i < walk.size(); ++i)
    for (const Link& link : walk.links(i)) {
      const auto outside = static_cast<std::size_t>(std::ranges::find(inputs, link.value) - inputs.begin());
      (link.from == Link::kOutside ? input_readers[outside] : readers[static_cast<std::size_t>(link.from)])
          .push_back({i, &link});
    }

  StageMemory memory;
  memory.ring.assign(layers, 0);
  std::vector<std::size_t> outs;
  for (std::size_t i = 0; i < layers; ++i) {
    if (!whole[i]) continue;
    outs.push_back(i);
    memory.ring[i] = graph[stage.layers[i].value()].shape.pixels();
    for (const NodeId in : inputs)
      memory.overlaps.push_back({stage.layers[i].value(), in, INT64_MIN,
                                 graph[stage.layers[i].value()].shape.c == graph[in].shape.c});
  }
  const auto pixel_bytes = [&](NodeId value) { return graph[value].shape.c * value_bytes; };

  walk.run([&](int layer, std::int64_t begin, std::int64_t end) {
    const auto l = static_cast<std::size_t>(layer);
    const std::int64_t written = walk.pixels(layer, end);
    if (!whole[l]) {
      std::int64_t oldest = walk.pixels(layer, begin);
      for (const Reader& r : readers[l]) oldest = std::min(oldest, r.link->released(walk.done(r.layer)));
      memory.ring[l] = std::max(memory.ring[l], written - oldest);
      return;
    }
    if (written == walk.pixels(layer, begin)) return;  // a pool that adds up
    const auto out = static_cast<std::size_t>(std::ranges::find(outs, l) - outs.begin());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      StageMemory::Overlap& overlap = memory.overlaps[out * inputs.size() + i];
      std::int64_t unread = graph[inputs[i]].shape.pixels();           // when the tile begins
      std::int64_t unread_in_place = graph[inputs[i]].shape.pixels();  // when its last values are written
      for (const Reader& r : input_readers[i]) {
        const std::int64_t now = r.link->released(walk.done(r.layer));
        unread = std::min(unread, now);
        unread_in_place = std::min(unread_in_place, r.layer == layer && r.link->in_place ? end : now);
      }
      const std::int64_t written_bytes = written * pixel_bytes(overlap.out);
      overlap.distance = std::max(overlap.distance, written_bytes - unread * pixel_bytes(overlap.in));
      overlap.same_place &= written_bytes <= unread_in_place * pixel_bytes(overlap.in);
    }
  });
  return memory;
}

}  // namespace linnet::plan
