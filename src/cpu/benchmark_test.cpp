#include "cpu/benchmark.h"

#include <gtest/gtest.h>

#include "cpu/ceiling.h"
#include "graph/families/family.h"
#include "graph/random_graph.h"
#include "graph/statistics.h"
#include "support/sanitizer.h"

namespace linnet::cpu {
namespace {

// A share is below one, were it not for a neighbour on the core's other hyperthread, who takes half of the
// ceiling while it is sampled and lets go during the runs. Counting the sampled work wrongly, by two or four,
// is still seen.
constexpr double kMostShare = 1.7;

TEST(benchmark, its_figures_are_consistent) {
  const Graph graph = build(*parse_family("mobilenet_v2:width=0.35,resolution=32,classes=10")).value();
  auto executor = make_executor(graph, {.threads = 2});
  ASSERT_TRUE(executor) << executor.error().message;
  const auto result = benchmark(
      **executor,
      {.batch = 2, .warmup_images = 1, .warmup_seconds = 0, .runs = 20, .seconds = 5, .layers = true});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GE(result->runs, 1);
  EXPECT_LE(result->min_ms, result->median_ms);
  EXPECT_LE(result->median_ms, result->p95_ms);
  EXPECT_NEAR(result->images_per_second, 2e3 / result->median_ms, 1e-6 * result->images_per_second);
  EXPECT_EQ(result->macs, totals(graph).macs);
  EXPECT_EQ(result->layers.size(), (*executor)->graph().nodes.size() - 1);
  std::int64_t macs = 0;
  for (const LayerTime& layer : result->layers) {
    macs += layer.macs;
    EXPECT_NE(layer.kernel, "") << layer.name;
    EXPECT_EQ(layer.kernel.find("reference"), std::string::npos) << layer.name;
  }
  EXPECT_EQ(macs, result->macs);
  EXPECT_GT(peak_rss_bytes(), 0);
  EXPECT_FALSE(benchmark(**executor, {.batch = 0}));
}

TEST(benchmark, no_isa_does_more_than_its_own_ceiling) {
  const Graph graph = build(*parse_family("mobilenet_v1:width=0.5,resolution=64,classes=10")).value();
  for (const Isa isa : available_isas()) {
    auto executor = make_executor(graph, {.threads = 1, .isa = isa});
    ASSERT_TRUE(executor) << executor.error().message;
    const auto result = benchmark(
        **executor, {.warmup_images = 2, .warmup_seconds = 0, .runs = 50, .seconds = 1, .layers = true});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_GT(result->share_of_ceiling, 0) << to_string(isa);
    EXPECT_LT(result->share_of_ceiling, kMostShare) << to_string(isa);
    EXPECT_LE(result->ceiling_min_gmacs, result->ceiling_gmacs);
    EXPECT_LE(result->ceiling_gmacs, result->ceiling_max_gmacs);
    for (const LayerTime& layer : result->layers) {
      EXPECT_EQ(layer.share_of_ceiling > 0, layer.macs > 0) << to_string(isa) << ' ' << layer.name;
      // A layer of microseconds is timed with less certainty than a run.
      EXPECT_LT(layer.share_of_ceiling, 2 * kMostShare) << to_string(isa) << ' ' << layer.name;
    }
  }
}

TEST(ceiling, every_figure_of_this_machine_is_plausible) {
#if LINNET_SANITIZED
  GTEST_SKIP() << "an instrumented build measures its instrumentation; the release build runs this test";
#endif
  for (const Isa isa : {available_isas().front(), available_isas().back()}) {
    const Ceiling c = measure_ceiling(isa, 1);
    EXPECT_GT(c.clock_ghz, 0.1);
    EXPECT_LT(c.clock_ghz, 10);
    EXPECT_GT(c.float32_gmacs, 0.01);
    // Two multiply-adds of one vector a cycle, three on the widest cores known.
    EXPECT_LT(c.float32_gmacs, 4.0 * kernels(isa).width * 10);
    if (isa == Isa::kAvx512Vnni || isa == Isa::kAvx512Vbmi || isa == Isa::kNeonDot) {
      EXPECT_GT(c.int8_gmacs, c.float32_gmacs / 3);  // one may be measured beside a busy neighbour
    }
    EXPECT_EQ(c.bf16_gmacs > 0, has_bf16() && isa != Isa::kScalar);
    EXPECT_GT(c.l1_gb_s, 0.1);
    EXPECT_GT(c.memory_gb_s, 0.1);
    EXPECT_GE(c.round_trip_ns, 0);
  }
}

}  // namespace
}  // namespace linnet::cpu
