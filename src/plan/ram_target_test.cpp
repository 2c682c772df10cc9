// Plans for a number of bytes of RAM, replayed with an owner for every byte.
#include "plan/ram_target.h"

#include <gtest/gtest.h>

#include "graph/families/family.h"
#include "graph/passes/passes.h"
#include "graph/random_graph.h"
#include "plan/replay.h"
#include "support/cases.h"

namespace linnet::plan {
namespace {

/// The graph as int8 would have it, as far as a planner looks.
Graph as_int8(Graph graph) {
  for (Node& node : graph.nodes)
    if (std::holds_alternative<Softmax>(node.op)) node.op = Identity{};
  graph = split_activation(canonical(std::move(graph)));
  for (Node& node : graph.nodes) node.quantization = Quantization{};
  return graph;
}
Graph family(const char* text) { return as_int8(build(*parse_family(text)).value()); }

RamTarget int8_target() {
  RamTarget target;
  target.value_bytes = 1;
  target.callers_image = false;
  // What a kernel that gathers its windows takes.
  target.scratch_bytes = [](const Layer& layer, std::int64_t pixels) { return 16 * pixels + layer.node % 3; };
  return target;
}

void expect_sound(const Graph& graph, const RamTarget& target, const Plan& plan, const std::string& replay) {
  EXPECT_EQ(Replay(graph, plan, target.callers_image).run(), "") << replay << '\n'
                                                                 << dump(graph, plan) << dump(graph);
  std::int64_t end = 0;
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) end = std::max(end, live_bytes(plan, s));
  EXPECT_EQ(plan.arena_bytes, end) << replay;
}

TEST(ram_target, random_graphs_lose_no_pixel_in_any_budget) {
  for (std::uint64_t seed = 1; seed <= testing::cases(300u); ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(random.between(1, 12));
    for (const bool int8 : {false, true}) {
      const Graph graph = int8 ? as_int8(source) : canonical(source);
      RamTarget target = int8 ? int8_target() : RamTarget{};
      const Plan least = plan_for_least_ram(graph, target);
      const std::string replay = fmt::format("seed {}, {}", seed, int8 ? "int8" : "float32");
      expect_sound(graph, target, least, replay);
      for (const int percent : {100, 110, 150, 400}) {
        target.ram_bytes = least.arena_bytes * percent / 100;
        const auto plan = plan_for_ram(graph, target);
        ASSERT_TRUE(plan) << replay << ": " << plan.error().message;
        EXPECT_LE(plan->arena_bytes, target.ram_bytes);
        expect_sound(graph, target, *plan, fmt::format("{}, {} bytes", replay, target.ram_bytes));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(ram_target, every_family_loses_no_pixel) {
  for (const char* model : {"mobilenet_v1:width=0.25,resolution=64,classes=10",
                            "mobilenet_v2:width=0.35,resolution=65,classes=10",
                            "mobilenet_v3_large:width=0.35,resolution=48,classes=10",
                            "mobilenet_v3_small:width=0.5,resolution=49,classes=10",
                            "mobilenet_v4_conv_small:width=0.5,resolution=64,classes=10",
                            "mobilenet_v4_conv_medium:width=0.35,resolution=48,classes=10"}) {
    const Graph graph = family(model);
    RamTarget target = int8_target();
    const std::int64_t least = plan_for_least_ram(graph, target).arena_bytes;
    for (const std::int64_t budget : {least, least * 5 / 4, least * 4}) {
      target.ram_bytes = budget;
      const auto plan = plan_for_ram(graph, target);
      ASSERT_TRUE(plan) << plan.error().message;
      expect_sound(graph, target, *plan, fmt::format("{}, {} bytes", model, budget));
    }
  }
}

/// The first layer that the replay names, or "".
std::string named(const Graph& graph, const Plan& plan) { return Replay(graph, plan, false).run(); }

TEST(ram_target, a_ring_one_pixel_shorter_loses_a_pixel_of_its_value) {
  for (const char* model : {"mobilenet_v2:width=0.35,resolution=64,classes=10",
                            "mobilenet_v3_small:width=0.5,resolution=64,classes=10"}) {
    const Graph graph = family(model);
    const Plan plan = plan_for_least_ram(graph, int8_target());
    int shortened = 0;
    for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
      Plan shorter = plan;
      Buffer& ring = shorter.buffers[b];
      if (ring.kind != Buffer::Kind::kRing || --ring.pixels == 0) continue;
      EXPECT_NE(named(graph, shorter).find(graph[ring.value].name), std::string::npos)
          << graph[ring.value].name << ": " << named(graph, shorter);
      ++shortened;
    }
    EXPECT_GT(shortened, 10);
  }
}

TEST(ram_target, a_buffer_in_the_place_of_another_is_found) {
  const Graph graph = family("mobilenet_v3_small:width=0.5,resolution=64,classes=10");
  const Plan plan = plan_for_least_ram(graph, int8_target());
  int moved = 0;
  for (std::size_t a = 0; a < plan.buffers.size(); ++a)
    for (std::size_t b = 0; b < plan.buffers.size(); ++b) {
      // Rings of several pixels, in the place of what is needed before and behind them.
      const Buffer& ring = plan.buffers[a];
      const Buffer& other = plan.buffers[b];
      const int stage = ring.first;
      if (a == b || ring.kind != Buffer::Kind::kRing || ring.pixels < 2) continue;
      if (stage < other.first || other.last < stage) continue;
      if (other.kind != Buffer::Kind::kScratch && other.pixels < 2) continue;
      if (other.kind == Buffer::Kind::kWhole && other.first < stage && other.last == stage) continue;
      Plan worse = plan;
      worse.buffers[a].offset = other.offset;
      worse.arena_bytes += plan.arena_bytes;  // what is moved need not end within
      EXPECT_NE(named(graph, worse), "") << a << " at " << b << '\n' << dump(graph, plan);
      ++moved;
    }
  EXPECT_GT(moved, 30);
}

TEST(ram_target, the_least_is_the_least_and_its_error_names_the_stage) {
  const Graph graph = family("mobilenet_v2:width=0.35,resolution=96,classes=10");
  RamTarget target = int8_target();
  const Plan least = plan_for_least_ram(graph, target);
  target.ram_bytes = least.arena_bytes;
  EXPECT_TRUE(plan_for_ram(graph, target));
  --target.ram_bytes;
  const auto failed = plan_for_ram(graph, target);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find(fmt::format("the least is {}", least.arena_bytes)), std::string::npos)
      << failed.error().message;
  EXPECT_NE(failed.error().message.find("stage 1 of"), std::string::npos) << failed.error().message;
}

TEST(ram_target, more_ram_lets_more_pixels_flow_at_once) {
  const Graph graph = family("mobilenet_v2:width=0.35,resolution=96,classes=10");
  RamTarget target = int8_target();
  const std::int64_t least = plan_for_least_ram(graph, target).arena_bytes;
  std::int64_t before = 0;
  for (const int times : {1, 2, 4}) {
    target.ram_bytes = least * times;
    const std::int64_t tile = plan_for_ram(graph, target)->stages.front().layers.front().tile;
    EXPECT_GT(tile, before);
    before = tile;
  }
}

TEST(ram_target, one_stage_keeps_nothing_whole_but_the_scores) {
  for (const char* model : {"mobilenet_v1:width=0.25,resolution=64,classes=10",
                            "mobilenet_v2:width=0.35,resolution=64,classes=10",
                            "mobilenet_v4_conv_small:width=0.5,resolution=64,classes=10"}) {
    const Graph graph = family(model);
    const auto plan = plan_one_stage(graph, int8_target());
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(plan->stages.size(), 1u);
    expect_sound(graph, int8_target(), *plan, model);
    for (const Buffer& b : plan->buffers)
      EXPECT_TRUE(b.kind != Buffer::Kind::kWhole || b.value == graph.output) << graph[b.value].name;
  }
}

TEST(ram_target, one_stage_refuses_a_gate_by_name) {
  const Graph graph = family("mobilenet_v3_small:width=0.5,resolution=64,classes=10");
  const auto plan = plan_one_stage(graph, int8_target());
  ASSERT_FALSE(plan);
  const auto gate = std::ranges::find_if(
      graph.nodes, [](const Node& node) { return std::holds_alternative<Multiply>(node.op); });
  EXPECT_NE(plan.error().message.find(gate->name), std::string::npos) << plan.error().message;
}

}  // namespace
}  // namespace linnet::plan
