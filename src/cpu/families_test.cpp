#include "cpu/node_check.h"
#include "graph/families/family.h"
#include "graph/random_graph.h"

namespace linnet::cpu {
namespace {

TEST(executor, every_family_agrees_with_the_reference_node_by_node_on_every_isa) {
  // Odd resolutions: every stride meets an odd row somewhere.
  const char* const models[] = {"mobilenet_v1:width=0.25,resolution=33,classes=10",
                                "mobilenet_v1:width=0.75,resolution=32,classes=1001",
                                "mobilenet_v2:width=0.35,resolution=47,classes=10",
                                "mobilenet_v2:width=1.0,resolution=32,classes=1000",
                                "mobilenet_v3_large:width=0.75,resolution=33,classes=7",
                                "mobilenet_v3_small:width=1.0,resolution=45,classes=10",
                                "mobilenet_v4_conv_small:resolution=33,classes=10",
                                "mobilenet_v4_conv_medium:resolution=32,classes=10"};
  std::uint64_t seed = 1;
  for (const char* model : models) {
    const Graph graph = build(*parse_family(model)).value();
    const auto image = RandomGraph(++seed).values(static_cast<std::size_t>(graph.input_shape().size()));
    for (const Isa isa : available_isas()) {
      const int threads = 1 + static_cast<int>(seed + static_cast<std::uint64_t>(isa)) % 4;
      expect_every_node(graph, {threads, isa}, 1, image,
                        fmt::format("{}, {}, {} threads", model, to_string(isa), threads));
      if (HasFailure()) return;
    }
  }
}

TEST(executor, fused_layers_are_never_stored_whole) {
  const Graph graph = build(*parse_family("mobilenet_v2:width=1.0,resolution=96,classes=10")).value();
  const auto whole = executor(graph, {.fuse_above_bytes = std::int64_t{1} << 40});
  const auto fused = executor(graph, {.fuse_above_bytes = 0});
  // features.2 expands 48x48x16 to 48x48x96.
  EXPECT_GE(whole->peak_activation_bytes(), 48 * 48 * (96 + 16) * 4);
  EXPECT_LT(fused->peak_activation_bytes(), 48 * 48 * 96 * 4);
  // Each node of a fused segment has a time of its own.
  std::vector<double> microseconds;
  microseconds.resize(fused->graph().nodes.size(), 0.0);
  std::vector<float> scores(10);
  ASSERT_TRUE(fused->run_timed(std::vector<float>(96 * 96 * 3), scores, microseconds));
  for (NodeId id = 1; id < fused->graph().size(); ++id)
    if (!std::holds_alternative<Add>(fused->graph()[id].op)) {
      EXPECT_GT(microseconds[static_cast<std::size_t>(id)], 0) << fused->graph()[id].name;
    }
}

}  // namespace
}  // namespace linnet::cpu
