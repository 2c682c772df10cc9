// linnet bench: latency, throughput, memory, and what share of the machine's own limits that is.
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cpu/benchmark.h"
#include "cpu/ceiling.h"
#include "model_options.h"
#include "print.h"
#include "roofline.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelOptions model;
  cpu::BenchOptions bench;
  bool ceiling = false;
  std::string roofline;  ///< the file that the picture goes to
  bool json = false;
};

/// Everything that is printed.
struct Report {
  cpu::BenchResult result;
  std::string name;  ///< the network's
  double clock_ghz = 0;
  double round_trip_ns = 0;
  std::int64_t model_bytes = 0;
  std::int64_t peak_rss_bytes = 0;
  std::int64_t peak_activation_bytes = 0;
  std::string precision;
  std::string isa;
  int threads = 1;
  int batch = 1;

  double cycles(const cpu::LayerTime& layer) const { return layer.microseconds * clock_ghz * 1e3; }
  double macs_per_cycle(const cpu::LayerTime& layer) const {
    return layer.microseconds > 0 ? static_cast<double>(layer.macs) / cycles(layer) : 0;
  }
};

Json to_json(const Report& report) {
  const cpu::BenchResult& r = report.result;
  Json json = {{"median_ms", r.median_ms},
               {"mean_ms", r.mean_ms},
               {"min_ms", r.min_ms},
               {"stddev_ms", r.stddev_ms},
               {"p95_ms", r.p95_ms},
               {"images_per_second", r.images_per_second},
               {"model_bytes", report.model_bytes},
               {"peak_rss_bytes", report.peak_rss_bytes},
               {"peak_activation_bytes", report.peak_activation_bytes},
               {"macs", r.macs},
               {"gmacs_per_second", r.gmacs_per_second},
               {"share_of_ceiling", r.share_of_ceiling},
               {"ceiling_gmacs", r.ceiling_gmacs},
               {"ceiling_min_gmacs", r.ceiling_min_gmacs},
               {"ceiling_max_gmacs", r.ceiling_max_gmacs},
               {"precision", report.precision},
               {"isa", report.isa},
               {"threads", report.threads},
               {"batch", report.batch},
               {"runs", r.runs},
               {"clock_ghz", report.clock_ghz},
               {"round_trip_ns", report.round_trip_ns}};
  Json layers = Json::array();
  for (const cpu::LayerTime& layer : r.layers)
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"kernel", layer.kernel},
                      {"macs", layer.macs},
                      {"bytes", layer.bytes},
                      {"microseconds", layer.microseconds},
                      {"cycles", report.cycles(layer)},
                      {"macs_per_cycle", report.macs_per_cycle(layer)},
                      {"share_of_ceiling", layer.share_of_ceiling}});
  json["layers"] = layers;
  return json;
}

void print_text(const Report& report) {
  const cpu::BenchResult& r = report.result;
  Table table({{report.precision + ", " + report.isa +
                fmt::format(", {} thread{}", report.threads, report.threads == 1 ? "" : "s")},
               {"", Align::kRight},
               {""}});
  const auto ms = [](double value) { return fmt::format("{:.3f} ms", value); };
  const std::string of = report.batch > 1 ? fmt::format("of a batch of {}", report.batch) : "of one image";
  table.row({"median", ms(r.median_ms), fmt::format("{}, {} runs", of, r.runs)});
  table.row({"mean", ms(r.mean_ms), fmt::format("standard deviation {}", ms(r.stddev_ms))});
  table.row({"fastest", ms(r.min_ms), ""});
  table.row({"95 % below", ms(r.p95_ms), ""});
  table.row({"throughput", fmt::format("{:.1f} /s", r.images_per_second), "images"});
  table.row({"arithmetic", fmt::format("{:.1f} GMAC/s", r.gmacs_per_second),
             fmt::format("{} MACs an image", grouped(r.macs))});
  if (r.ceiling_gmacs > 0)
    table.row({"of the ceiling", percent(r.share_of_ceiling, 1),
               fmt::format("{:.1f} GMAC/s, {:.1f} to {:.1f} meanwhile", r.ceiling_gmacs, r.ceiling_min_gmacs,
                           r.ceiling_max_gmacs)});
  table.row({"weights", size_text(static_cast<std::uint64_t>(report.model_bytes)), ""});
  table.row(
      {"activations", size_text(static_cast<std::uint64_t>(report.peak_activation_bytes)), "at their peak"});
  table.row(
      {"process", size_text(static_cast<std::uint64_t>(report.peak_rss_bytes)), "resident at its peak"});
  print(table.text());
  if (r.layers.empty()) return;
  Table layers({{"layer"},
                {"op"},
                {"kernel"},
                {"MACs", Align::kRight},
                {"µs", Align::kRight},
                {"cycles", Align::kRight},
                {"MACs/cycle", Align::kRight},
                {"of ceiling", Align::kRight}});
  for (const cpu::LayerTime& layer : r.layers) {
    const bool taken_over = layer.microseconds == 0;
    layers.row({layer.name, layer.op, layer.kernel, layer.macs ? grouped(layer.macs) : "",
                taken_over ? "" : fmt::format("{:.1f}", layer.microseconds),
                taken_over ? "" : grouped(static_cast<std::int64_t>(report.cycles(layer))),
                layer.macs ? fmt::format("{:.1f}", report.macs_per_cycle(layer)) : "",
                layer.macs ? percent(layer.share_of_ceiling, 1) : ""});
  }
  print("\n" + layers.text());
}

Result<int> print_ceiling(const Arguments& arguments, const cpu::Ceiling& c) {
  if (arguments.json) {
    print(Json{{"float32_gmacs", c.float32_gmacs},
               {"int8_gmacs", c.int8_gmacs},
               {"bf16_gmacs", c.bf16_gmacs},
               {"l1_gb_s", c.l1_gb_s},
               {"l2_gb_s", c.l2_gb_s},
               {"l3_gb_s", c.l3_gb_s},
               {"memory_gb_s", c.memory_gb_s},
               {"threads", c.threads},
               {"round_trip_ns", c.round_trip_ns},
               {"barrier_ns", c.barrier_ns},
               {"clock_ghz", c.clock_ghz}}
              .dump() +
          "\n");
    return 0;
  }
  Table table({{fmt::format("this machine, {} thread{}", c.threads, c.threads == 1 ? "" : "s")},
               {"", Align::kRight}});
  const auto row = [&](const char* what, double value, const char* unit) {
    table.row({what, value > 0 ? fmt::format("{:.1f} {}", value, unit) : "none"});
  };
  row("float32", c.float32_gmacs, "GMAC/s");
  row("int8", c.int8_gmacs, "GMAC/s");
  row("bfloat16", c.bf16_gmacs, "GMAC/s");
  row("level 1 cache", c.l1_gb_s, "GB/s");
  row("level 2 cache", c.l2_gb_s, "GB/s");
  row("level 3 cache", c.l3_gb_s, "GB/s");
  row("memory", c.memory_gb_s, "GB/s");
  row("core to core and back", c.round_trip_ns, "ns");
  row("barrier of all threads", c.barrier_ns, "ns");
  table.row({"core clock", fmt::format("{:.2f} GHz", c.clock_ghz)});
  print(table.text());
  return 0;
}

Result<int> run(const Arguments& arguments) {
  const int threads = arguments.model.threads > 0 ? arguments.model.threads : default_threads();
  LINNET_TRY(const cpu::Isa isa, cpu::selected_isa());
  if (arguments.ceiling) return print_ceiling(arguments, cpu::measure_ceiling(isa, threads));

  Report report;
  {
    LINNET_TRY(Graph graph, read_model(arguments.model));
    LINNET_TRY(graph, with_precision(std::move(graph), arguments.model));
    report.name = graph.name;
    LINNET_TRY(const auto precision, executor_precision(arguments.model));
    LINNET_TRY(const auto executor,
               cpu::make_executor(
                   graph, {.threads = threads, .isa = isa, .precision = precision, .keep_constants = false}));
    graph = {};  // the executor has its own weights; what is measured is its memory
    LINNET_TRY(report.result, cpu::benchmark(*executor, arguments.bench));
    report.precision = to_string(executor->precision());
    report.model_bytes = executor->weight_bytes();
    report.peak_activation_bytes = executor->peak_activation_bytes();
  }
  report.peak_rss_bytes = cpu::peak_rss_bytes();
  report.clock_ghz = cpu::measure_clock();
  report.round_trip_ns = cpu::measure_round_trip();
  report.isa = to_string(isa);
  report.threads = threads;
  if (!arguments.roofline.empty()) {
    const std::string picture =
        draw_roofline(cpu::measure_ceiling(isa, threads), report.result, report.precision, report.name);
    LINNET_CHECK(write_file(arguments.roofline, picture));
  }
  report.batch = arguments.bench.batch;
  if (arguments.json)
    print(to_json(report).dump() + "\n");
  else
    print_text(report);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("bench", "Measure speed and memory, and what share of the machine's limits that is");
  auto arguments = std::make_shared<Arguments>();
  add_model_option(*verb, arguments->model);
  add_threads_option(*verb, arguments->model);
  verb->add_option("--batch", arguments->bench.batch, "Images that run in one go; by default 1")
      ->option_text("N")
      ->check(CLI::Range(1, 1024));
  verb->add_option("--runs", arguments->bench.runs,
                   "How often it is timed; by default 100, for at most 20 seconds")
      ->option_text("N")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_flag("--layers", arguments->bench.layers, "Time every layer as well");
  verb->add_flag("--ceiling", arguments->ceiling, "Measure the machine alone: arithmetic, caches, memory");
  verb->add_option("--roofline", arguments->roofline,
                   "Draw the machine's roofline with a dot a layer; times every layer")
      ->option_text("FILE.svg");
  add_precision_option(*verb, arguments->model);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "Cycles are time multiplied by the core's clock, which is measured in the same run. LINNET_ISA\n"
      "(scalar, avx2, avx512, avx512_vnni, avx512_vbmi, avx512_amx, neon, neon_dot) forces a set of instructions.\n\n"
      "Examples:\n"
      "  linnet bench --model mobilenet_v2 --threads 1 --layers\n"
      "  linnet bench --model mobilenet_v2 --threads 1 --roofline v2.svg\n"
      "  linnet bench --ceiling");
  verb->callback([&action, arguments] {
    if (!arguments->roofline.empty()) arguments->bench.layers = true;
    action = [arguments] { return run(*arguments); };
  });
}

}  // namespace linnet::cli
