// The part of a driver that knows no peer: reads the model, times the engine, prints a line of JSON.
#include "driver.h"

#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "cpu/benchmark.h"
#include "cpu/ceiling.h"
#include "formats/safetensors/safetensors.h"
#include "graph/passes/passes.h"
#include "graph/statistics.h"

namespace linnet::bench {
namespace {

struct Arguments {
  std::string model;
  std::string precision;
  std::string image;
  std::string scores;
  Setup setup;
  cpu::BenchOptions bench;
};

Result<std::vector<float>> read_image(const std::string& path, std::size_t size) {
  std::vector<float> image(size);
  if (path.empty()) {
    Random random(1);
    for (float& x : image) x = random.uniform(-1, 1);
    return image;
  }
  const auto bytes = static_cast<std::streamsize>(size * sizeof(float));
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(image.data()), bytes) || file.peek() != EOF)
    return fail("{}: is not the {} float32 values of an image", path, size);
  return image;
}

Result<void> write_scores(const std::string& path, std::span<const float> scores) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(scores.data()), static_cast<std::streamsize>(scores.size_bytes()));
  if (!file.flush()) return fail("{}: cannot be written", path);
  return {};
}

Result<nlohmann::ordered_json> measure(const std::string& name, Arguments& arguments,
                                       const MakeEngine& make) {
  std::unique_ptr<Engine> engine;
  std::vector<float> image;
  std::vector<float> scores;
  std::int64_t macs = 0;
  bool int8 = false;
  {
    LINNET_TRY(Graph graph, formats::read_safetensors(arguments.model));
    graph = canonical(std::move(graph));
    int8 = is_int8(graph);
    arguments.setup.bf16 = arguments.precision == "bf16";
    const std::string own = int8 ? "int8" : "float32";
    if (arguments.precision.empty()) arguments.precision = own;
    if (arguments.precision != own && (int8 || !arguments.setup.bf16))
      return fail("{}: is a model in {}, which does not run in {}", arguments.model, own,
                  arguments.precision);
    macs = totals(graph).macs;
    LINNET_TRY(image, read_image(arguments.image, static_cast<std::size_t>(graph.input_shape().size())));
    scores.resize(static_cast<std::size_t>(graph.output_shape().size()));
    LINNET_TRY(engine, make(graph, arguments.setup));
  }
  LINNET_CHECK(engine->run(image, scores));
  if (!arguments.scores.empty()) LINNET_CHECK(write_scores(arguments.scores, scores));

  nlohmann::ordered_json json = {
      {"engine", name}, {"precision", arguments.precision}, {"threads", arguments.setup.threads}};
  if (arguments.bench.runs == 0) return json;
  // The engine's own threads may still be waiting in a loop: the ceiling is that of the calling one's core.
  LINNET_TRY(const cpu::Isa isa, cpu::selected_isa());
  ThreadPool pool(1);
  const auto precision = int8                   ? cpu::Precision::kInt8
                         : arguments.setup.bf16 ? cpu::Precision::kBf16
                                                : cpu::Precision::kFloat32;
  cpu::CeilingSampler ceiling(isa, pool, precision);
  LINNET_TRY(const cpu::BenchResult r,
             cpu::time_runs([&] { return engine->run(image, scores); }, macs, ceiling, arguments.bench));
  json["median_ms"] = r.median_ms;
  json["min_ms"] = r.min_ms;
  json["runs"] = r.runs;
  json["macs"] = r.macs;
  json["share_of_ceiling"] = r.share_of_ceiling / arguments.setup.threads;
  json["ceiling_gmacs"] = r.ceiling_gmacs * arguments.setup.threads;
  json["peak_rss_bytes"] = cpu::peak_rss_bytes();
  return json;
}

}  // namespace

int drive(int argc, char** argv, const std::string& name, const MakeEngine& make) {
  Arguments arguments;
  CLI::App app("Times " + name + " on a model that linnet convert or linnet quantize wrote");
  app.add_option("MODEL", arguments.model, "A .safetensors file of Linnet's own form")->required();
  app.add_option("--precision", arguments.precision, "float32, bf16 or int8; by default the file's own");
  app.add_option("--threads", arguments.setup.threads, "By default 1")->check(CLI::Range(1, 256));
  app.add_option("--runs", arguments.bench.runs, "How often it is timed; 0: only scores")
      ->check(CLI::Range(0, 1'000'000));
  app.add_option("--image", arguments.image, "The input as raw float32, H x W x C; by default noise");
  app.add_option("--scores", arguments.scores, "Where the scores are written, raw float32");
  CLI11_PARSE(app, argc, argv);
  const auto json = measure(name, arguments, make);
  if (!json) {
    fmt::print(stderr, "{}: {}\n", name, json.error().message);
    return 1;
  }
  fmt::print("{}\n", json->dump());
  return 0;
}

}  // namespace linnet::bench
