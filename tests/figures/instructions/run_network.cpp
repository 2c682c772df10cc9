// Runs an untrained network some times in float32 or int8: what count_instructions.c counts, two numbers of runs apart.
//
//   run_network FAMILY float32|int8 RUNS
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cpu/executor.h"
#include "graph/families/family.h"
#include "quantize/quantize.h"

namespace {

linnet::Result<void> run(std::string_view family, std::string_view precision, int runs) {
  using namespace linnet;
  LINNET_TRY(const FamilyConfig config, parse_family(family));
  LINNET_TRY(Graph graph, build(config));
  const auto images = quantize::noise_images(graph.input_shape(), config.seed);
  if (precision == "int8") {
    LINNET_TRY(auto quantized, quantize::to_int8(graph, std::span(images).first(1), {.correct_bias = false}));
    graph = std::move(quantized.graph);
  }
  LINNET_TRY(const auto executor, cpu::make_executor(graph));
  std::vector<float> scores(static_cast<std::size_t>(graph.output_shape().size()));
  for (int i = 0; i < runs; ++i) LINNET_CHECK(executor->run(1, images[0], scores));
  std::printf("%s %s, score 0: %g\n", graph.name.c_str(), to_string(executor->isa()).data(), scores[0]);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto done = run(argv[1], argv[2], std::atoi(argv[3]));
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
