#include "plan/walk.h"

#include <gtest/gtest.h>

#include "graph/builder.h"

namespace linnet::plan {
namespace {

constexpr int kWidth = 10;

Constant zeros(std::vector<int> dims) {
  std::size_t n = 1;
  for (const int d : dims) n *= static_cast<std::size_t>(d);
  return Constant(std::move(dims), AlignedVector<float>(n));
}
Window square(int kernel, int stride) {
  const int pad = kernel / 2;
  return {kernel, kernel, stride, stride, {pad, pad, pad, pad}};
}
Convolution pointwise(int k, int c) { return {{}, zeros({k, 1, 1, c})}; }
Depthwise depthwise(const Window& window, int c) {
  return {window, zeros({window.kernel_h, window.kernel_w, c})};
}

/// Pixels in the ring of each layer of a graph that runs as one stage, a tile at once.
std::vector<std::int64_t> rings(const Graph& graph, std::int64_t tile) {
  Stage stage;
  for (NodeId id = 1; id < graph.size(); ++id) stage.layers.push_back({.node = id, .tile = tile});
  std::vector<bool> whole(stage.layers.size(), false);
  whole.back() = true;
  return measure(graph, stage, whole, 4).ring;
}

TEST(walk, a_window_needs_two_rows_and_a_few_pixels) {
  for (const int stride : {1, 2}) {
    GraphBuilder b("window", {kWidth, kWidth, 4});
    const NodeId wide = b.add("wide", pointwise(8, 4), {b.input()});
    const NodeId out = b.add("out", depthwise(square(3, stride), 8), {wide});
    const NodeId pool = b.add("pool", GlobalAveragePool{}, {out});
    const Graph graph = std::move(b).finish(pool).value();
    EXPECT_EQ(rings(graph, 1), (std::vector<std::int64_t>{2 * kWidth + 3, 1, 1})) << "stride " << stride;
    // A tile of three pixels: what the last needs is there before the first is computed.
    EXPECT_EQ(rings(graph, 3)[0], 2 * kWidth + 3 + 2 * stride) << "stride " << stride;
  }
}

TEST(walk, a_residual_waits_as_long_as_the_block_delays_it) {
  GraphBuilder b("residual", {kWidth, kWidth, 4});
  const NodeId first = b.add("first", pointwise(4, 4), {b.input()});
  const NodeId wide = b.add("wide", pointwise(8, 4), {first});
  const NodeId middle = b.add("middle", depthwise(square(3, 1), 8), {wide});
  const NodeId narrow = b.add("narrow", pointwise(4, 8), {middle});
  const NodeId sum = b.add("sum", Add{}, {first, narrow});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {sum});
  const Graph graph = std::move(b).finish(pool).value();
  // The depthwise layer gives a pixel when the one a row and a column behind it is there.
  EXPECT_EQ(rings(graph, 1), (std::vector<std::int64_t>{kWidth + 2, 2 * kWidth + 3, 1, 1, 1, 1}));
}

TEST(walk, a_gate_in_the_stage_keeps_all_of_its_input) {
  GraphBuilder b("gate", {kWidth, kWidth, 4});
  const NodeId x = b.add("x", pointwise(4, 4), {b.input()});
  const NodeId pooled = b.add("pooled", GlobalAveragePool{}, {x});
  const NodeId gate = b.add("gate", pointwise(4, 4), {pooled});
  const NodeId gated = b.add("gated", Multiply{}, {x, gate});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {gated});
  const Graph graph = std::move(b).finish(pool).value();
  EXPECT_EQ(rings(graph, 1), (std::vector<std::int64_t>{kWidth * kWidth, 1, 1, 1, 1}));
}

TEST(walk, a_value_computed_pixel_by_pixel_may_take_the_place_of_its_input) {
  GraphBuilder b("in place", {kWidth, kWidth, 4});
  const NodeId x = b.add("x", pointwise(4, 4), {b.input()});
  const NodeId out = b.add("out", Activate{Activation::kHardSwish}, {x});
  const NodeId wide = b.add("wide", pointwise(8, 4), {x});
  const NodeId back = b.add("back", depthwise(square(3, 1), 4), {x});
  const NodeId pool = b.add("pool", GlobalAveragePool{}, {out});
  const Graph graph = std::move(b).finish(pool).value();
  const auto overlap = [&](NodeId node) {
    return measure(graph, {{{.node = node, .tile = 2}}}, {true}, 1).overlaps.front();
  };
  EXPECT_TRUE(overlap(out).same_place);
  // Two pixels are written before the kernel is known to have read them.
  EXPECT_EQ(overlap(out).distance, 2 * 4);
  EXPECT_FALSE(overlap(wide).same_place);
  EXPECT_EQ(overlap(wide).distance, 8 * kWidth * kWidth - 4 * (kWidth * kWidth - 2));
  EXPECT_FALSE(overlap(back).same_place);
  // When two pixels are written, the row above them is still read from the pixel before on.
  EXPECT_EQ(overlap(back).distance, 4 * (kWidth + 3));
}

}  // namespace
}  // namespace linnet::plan
