// linnet quantize: a float model and some pictures become an int8 model.
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "calibration.h"
#include "model_options.h"
#include "model_writer.h"
#include "print.h"
#include "quantize/page.h"
#include "quantize/quantize.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kCompared = 16;  // pictures that the signal-to-noise ratio is taken on

struct Arguments {
  ModelOptions model;
  std::string out;
  std::string method = "mse";
  std::string report;
  bool no_bias_correction = false;
  bool no_weight_search = false;
  bool equalise = false;
  bool json = false;
};

std::string decibels(double value) {
  return std::isinf(value) ? (value > 0 ? "no error" : "no signal") : fmt::format("{:.1f}", value);
}

Json decibels_json(double value) { return std::isinf(value) ? Json(nullptr) : Json(value); }

void print_json(const quantize::Quantized& quantized, const std::vector<double>& ratio,
                const Arguments& arguments, std::size_t images) {
  Json layers = Json::array();
  for (const NodeId id : quantized.layers) {
    const Node& node = quantized.graph[id];
    const auto at = static_cast<std::size_t>(id);
    layers.push_back({{"name", node.name},
                      {"op", op_name(node.op)},
                      {"low", quantized.statistics[at].values.low()},
                      {"high", quantized.statistics[at].values.high()},
                      {"scale", node.quantization->scale},
                      {"zero_point", node.quantization->zero_point},
                      {"sqnr_db", decibels_json(ratio[at])}});
  }
  print(Json{{"model", arguments.out},
             {"images", images},
             {"float_bytes", quantize::constant_bytes(quantized.real)},
             {"int8_bytes", quantize::constant_bytes(quantized.graph)},
             {"median_sqnr_db", decibels_json(quantize::median_decibels(quantized, ratio))},
             {"layers", layers}}
            .dump() +
        "\n");
}

void print_text(const quantize::Quantized& quantized, const std::vector<double>& ratio,
                const Arguments& arguments) {
  Table table({{"layer"},
               {"op"},
               {"from", Align::kRight},
               {"to", Align::kRight},
               {"step", Align::kRight},
               {"zero point", Align::kRight},
               {"SQNR, dB", Align::kRight}});
  for (const NodeId id : quantized.layers) {
    const Node& node = quantized.graph[id];
    const Quantization& q = *node.quantization;
    table.row({node.name, std::string(op_name(node.op)),
               fmt::format("{:.3f}", (-128 - q.zero_point) * double{q.scale}),
               fmt::format("{:.3f}", (127 - q.zero_point) * double{q.scale}), fmt::format("{:.4g}", q.scale),
               fmt::format("{}", q.zero_point), decibels(ratio[static_cast<std::size_t>(id)])});
  }
  table.rule();
  table.row({"median", "", "", "", "", "", decibels(quantize::median_decibels(quantized, ratio))});
  std::error_code ignored;
  print(table.text() +
        fmt::format("\n{}  {}; weights {} in float32, {} in int8\n", arguments.out,
                    size_text(std::filesystem::file_size(arguments.out, ignored)),
                    size_text(static_cast<std::uint64_t>(quantize::constant_bytes(quantized.real))),
                    size_text(static_cast<std::uint64_t>(quantize::constant_bytes(quantized.graph)))));
}

Result<void> write_report(const quantize::Quantized& quantized, const quantize::PageFacts& facts,
                          const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  file << quantize::page(quantized, facts) << std::flush;
  if (!file)
    return fail("{}: cannot write the report; name a file in a folder that is there and has room", path);
  return {};
}

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(const ModelWriter write, model_writer(arguments.out));
  quantize::Options options;
  LINNET_TRY(options.method, quantize::parse_method(arguments.method));
  options.correct_bias = !arguments.no_bias_correction;
  options.search_weights = !arguments.no_weight_search;
  options.equalise = arguments.equalise;
  options.threads = arguments.model.threads > 0 ? arguments.model.threads : default_threads();
  LINNET_TRY(Graph graph, read_model(arguments.model));
  LINNET_TRY(const Material material, calibration_material(std::move(graph), arguments.model));
  Result<quantize::Quantized> quantized = fail("not run");
  {
    ProgressBar bar("quantizing, per cent", ProgressBar::Unit::kItems);
    options.progress = [&](double share) { bar.update(static_cast<std::uint64_t>(100 * share), 100); };
    quantized = quantize::to_int8(material.graph, material.images, options);
  }
  if (!quantized) return std::unexpected(quantized.error());
  note_widened_grids(quantized->graph);
  LINNET_CHECK(write(quantized->graph, arguments.out));
  const std::size_t compared = std::min(kCompared, material.images.size());
  LINNET_TRY(
      const std::vector<double> ratio,
      quantize::signal_to_noise(*quantized, std::span(material.images).first(compared), options.threads));
  if (!arguments.report.empty()) {
    LINNET_CHECK(write_report(*quantized, {arguments.model.model, material.description, options, ratio},
                              arguments.report));
  }
  if (arguments.json)
    print_json(*quantized, ratio, arguments, material.images.size());
  else
    print_text(*quantized, ratio, arguments);
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("quantize", "Turn a float model into an int8 model");
  auto arguments = std::make_shared<Arguments>();
  add_model_option(*verb, arguments->model)->required();
  verb->add_option(
          "--calibration", arguments->model.calibration,
          "A folder of pictures like those the model will see: flat, one sub-folder a class, or with a "
          "labels.csv; or cifar10:DIR. An untrained family needs none")
      ->option_text("D");
  verb->add_option("-o,--out", arguments->out, "The file to write: .safetensors (Linnet's own form) or .onnx")
      ->option_text("OUT")
      ->required();
  verb->add_option("--limit", arguments->model.calibration_limit,
                   "At most N pictures, spread evenly over the folder; by default 128")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  verb->add_option("--method", arguments->method,
                   "How the range of an activation is chosen: mse (by default), minmax, percentile or kl")
      ->option_text("M");
  verb->add_flag("--no-bias-correction", arguments->no_bias_correction,
                 "Leave biases as they are, whatever int8 shifts on average");
  verb->add_flag("--no-weight-search", arguments->no_weight_search,
                 "Scale the weights of each channel by the largest, without looking for a better scale");
  verb->add_flag("--equalise", arguments->equalise,
                 "Even out the ranges of channels first (cross-layer equalisation)");
  verb->add_option("--report", arguments->report, "Write a web page with a picture a layer")
      ->option_text("FILE.html");
  add_threads_option(*verb, arguments->model);
  add_picture_options(*verb, arguments->model);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "The table says for each layer which values int8 covers and how much of the signal is left: SQNR is\n"
      "the energy of the float values over that of the error, in decibels.\n\n"
      "Example:\n"
      "  linnet quantize --model mobilenet_v2_1.0_224 --calibration photos/ -o v2.int8.safetensors "
      "--report v2.html");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
