// A plan for so many bytes of RAM, run in exactly so many: between guard pages, poisoned before each image, the
// scores are the reference's.
#include "cpu/streamed.h"

#include "cpu/kernels/guarded.h"
#include "cpu/node_check.h"
#include "cpu/random_graph.h"
#include "cpu/random_int8_graph.h"
#include "graph/families/family.h"

namespace linnet::cpu {
namespace {

std::vector<float> reference_scores(const Graph& graph, std::span<const float> image) {
  reference::Interpreter interpreter(graph);
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  EXPECT_TRUE(interpreter.run(1, image, scores));
  return scores;
}

TEST(streamed, smoke) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    RandomGraph random(seed);
    const Graph source = random.network(random.between(1, 9));
    const auto image = random.values(static_cast<std::size_t>(source.input_shape().size()), -3, 3);
    const Graph graph = RandomInt8(random, seed % 2 == 0 ? 12 : 0)(source, image);
    for (const Isa isa : available_isas()) {
      EXPECT_EQ(run(*executor(source, {.isa = isa, .ram_bytes = 1 << 22}), 1, image), run(*executor(source, {.isa = isa}), 1, image))
          << "float seed " << seed << ", " << to_string(isa) << dump(source);
      EXPECT_EQ(run(*executor(graph, {.isa = isa, .ram_bytes = 1 << 22}), 1, image), reference_scores(graph, image))
          << "int8 seed " << seed << ", " << to_string(isa) << dump(graph);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace linnet::cpu
