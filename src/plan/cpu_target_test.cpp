#include "plan/cpu_target.h"

#include <gtest/gtest.h>

#include "graph/families/family.h"
#include "graph/passes/passes.h"

namespace linnet::plan {
namespace {

Graph family(const char* text) { return canonical(build(*parse_family(text)).value()); }

TEST(cpu_target, every_node_is_computed_once_and_behind_what_it_reads) {
  for (const char* model : {"mobilenet_v1:resolution=96", "mobilenet_v2:resolution=96",
                            "mobilenet_v3_large:resolution=96", "mobilenet_v4_conv_small:resolution=96"}) {
    const Graph graph = family(model);
    for (const std::int64_t least : {std::int64_t{0}, std::int64_t{100'000}, INT64_MAX / 2}) {
      const Plan plan = plan_for_cpu(graph, {.fuse_above_bytes = least});
      std::vector<int> computed(graph.nodes.size(), 0);
      computed[0] = 1;
      for (const Stage& stage : plan.stages) {
        for (const NodeId input : inputs_of(graph, stage))
          EXPECT_EQ(computed[static_cast<std::size_t>(input)], 1) << model << ", " << graph[input].name;
        for (const Layer& layer : stage.layers) {
          ++computed[static_cast<std::size_t>(layer.node)];
          if (layer.taken_over != kNobody) ++computed[static_cast<std::size_t>(layer.taken_over)];
        }
      }
      EXPECT_EQ(computed, std::vector<int>(graph.nodes.size(), 1)) << model;
    }
  }
}

TEST(cpu_target, buffers_of_one_stage_never_overlap_but_in_place) {
  const Graph graph = family("mobilenet_v3_small:resolution=128");
  const Plan plan = plan_for_cpu(graph, {.threads = 3, .fuse_above_bytes = 0, .scratch_bytes = [](NodeId id) {
                                           return std::int64_t{64} * id;
                                         }});
  const auto end = [](const Buffer& b) { return b.offset + (b.copies - 1) * b.stride + b.bytes; };
  for (const Buffer& a : plan.buffers) {
    EXPECT_LE(end(a), plan.arena_bytes);
    EXPECT_TRUE(a.kind == Buffer::Kind::kWhole ? a.offset >= plan.stage_bytes : end(a) <= plan.stage_bytes);
    EXPECT_LE(a.bytes, a.stride);
    for (const Buffer& b : plan.buffers) {
      if (&a == &b || a.last < b.first || b.last < a.first) continue;
      const bool apart = a.kind == Buffer::Kind::kWhole
                             ? end(a) <= b.offset || end(b) <= a.offset
                             : a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
      const bool in_place = a.offset == b.offset && a.bytes == b.bytes &&
                            (a.last == b.first || b.last == a.first) && a.kind == b.kind;
      EXPECT_TRUE(apart || in_place) << a.value << " and " << b.value;
    }
  }
}

TEST(cpu_target, an_inverted_residual_block_is_one_stage_whose_rows_fit_their_part_of_the_cache) {
  const Graph graph = family("mobilenet_v2:resolution=224");
  const Plan plan = plan_for_cpu(graph, {.threads = 2});
  NodeId expansion = 0;
  while (graph[expansion].name != "features.2.conv.0.0") ++expansion;
  int stage = 0;
  while (plan.stages[static_cast<std::size_t>(stage)].layers.front().node != expansion) ++stage;
  EXPECT_EQ(plan.stages[static_cast<std::size_t>(stage)].layers.size(), 3u);
  const Buffer* const ring = find(plan, stage, expansion);
  ASSERT_TRUE(ring);
  EXPECT_EQ(ring->kind, Buffer::Kind::kRing);
  EXPECT_EQ(ring->copies, 2);
  EXPECT_EQ(ring->pixels % 112, 0);
  EXPECT_GE(ring->pixels / 112, 3);
  EXPECT_LE(ring->bytes, CpuTarget{}.rows_bytes);
}

}  // namespace
}  // namespace linnet::plan
