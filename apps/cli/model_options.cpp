#include "model_options.h"

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

#include "calibration.h"
#include "formats/any/read_model.h"
#include "print.h"

namespace linnet::cli {
namespace {

constexpr int kMostThreads = 256;

Result<std::vector<float>> parse_numbers(const std::string& text, std::string_view option) {
  std::vector<float> values;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    char* stop = nullptr;
    const float value = std::strtof(part.c_str(), &stop);
    if (part.empty() || *stop != '\0')
      return usage("{} takes numbers with commas between them, e.g. 0.485,0.456,0.406; \"{}\" is none",
                   option, part);
    values.push_back(value);
    start = end + 1;
  }
  return values;
}

/// "10 classes: airplane, automobile, …"; labels where they fit a line or two.
std::string classes_text(const Graph& graph) {
  constexpr std::size_t kMostNamed = 20;
  std::string text = fmt::format("{} classes", graph.output_shape().c);
  if (graph.labels.empty() || graph.labels.size() > kMostNamed) return text;
  return fmt::format("{}: {}", text, fmt::join(graph.labels, ", "));
}

}  // namespace

CLI::Option* add_model_option(CLI::App& verb, ModelOptions& options) {
  return verb
      .add_option("--model", options.model,
                  "A Hugging Face folder, a file (.safetensors, .onnx, .tflite, .pth), a name that linnet "
                  "models lists, or an untrained family such as mobilenet_v2:width=0.5")
      ->option_text("M");
}

void add_threads_option(CLI::App& verb, ModelOptions& options) {
  verb.add_option("--threads", options.threads, "Threads that one inference may use; by default one a core")
      ->option_text("N")
      ->check(CLI::Range(1, kMostThreads));
}

void add_precision_option(CLI::App& verb, ModelOptions& options) {
  verb.add_option("--precision", options.precision, "float32, bf16, fp16 or int8; by default the file's own")
      ->option_text("P");
  verb.add_option(
          "--calibration", options.calibration,
          "Pictures that show int8 what the values of a float model are like; linnet quantize does it once "
          "and for all")
      ->option_text("D");
}

void add_backend_option(CLI::App& verb, ModelOptions& options) {
  verb.add_option("--backend", options.backend, "cpu, or reference: the slow textbook interpreter")
      ->option_text("B");
}

void add_picture_options(CLI::App& verb, ModelOptions& options) {
  verb.add_option("--labels", options.labels, "A text file with a label a line, instead of the model's own")
      ->option_text("FILE");
  verb.add_option("--resize", options.resize, "Resize the shorter edge to N pixels first")->option_text("N");
  verb.add_option("--crop", options.crop, "Cut out the middle N x N pixels; must be the model's input size")
      ->option_text("N");
  verb.add_option("--mean", options.mean, "Subtract this from each channel, of pixels in 0 … 1")
      ->option_text("R,G,B");
  verb.add_option("--std", options.deviation, "Then divide by this")->option_text("R,G,B");
  verb.add_option("--filter", options.filter, "How to resize: bilinear or bicubic")->option_text("F");
}

Result<Backend> parse_backend(const std::string& name) {
  for (const Backend backend : {Backend::kCpu, Backend::kReference})
    if (name == to_string(backend)) return backend;
  return usage("{}: is no back end; there are cpu and reference", name);
}

Result<Graph> with_precision(Graph graph, const ModelOptions& options) {
  LINNET_TRY(const std::optional<cpu::Precision> precision, executor_precision(options));
  if (!precision || is_int8(graph) == (precision == cpu::Precision::kInt8)) return graph;
  if (precision == cpu::Precision::kInt8) return int8_form(std::move(graph), options);
  return fail("{}: is int8; the float model that it was made from runs with --precision {}", graph.name,
              options.precision);
}

Result<std::optional<cpu::Precision>> executor_precision(const ModelOptions& options) {
  if (options.precision.empty()) return std::nullopt;
  LINNET_TRY(const cpu::Precision precision, cpu::parse_precision(options.precision));
  return precision;
}

Result<PictureOverrides> picture_overrides(const ModelOptions& options) {
  PictureOverrides overrides;
  if (!options.labels.empty()) overrides.labels = options.labels;
  overrides.resize = options.resize;
  overrides.crop = options.crop;
  if (!options.mean.empty()) {
    LINNET_TRY(overrides.mean, parse_numbers(options.mean, "--mean"));
  }
  if (!options.deviation.empty()) {
    LINNET_TRY(overrides.deviation, parse_numbers(options.deviation, "--std"));
  }
  if (options.filter == "bilinear")
    overrides.filter = Filter::kBilinear;
  else if (options.filter == "bicubic")
    overrides.filter = Filter::kBicubic;
  else if (!options.filter.empty())
    return usage("--filter {}: is neither bilinear nor bicubic", options.filter);
  return overrides;
}

bool overrides_anything(const PictureOverrides& o) {
  return o.labels || o.resize || o.crop || o.mean || o.deviation || o.filter;
}

Result<Graph> read_model(const ModelOptions& options) {
  const bool is_named = !options.model.empty();
  LINNET_TRY(const ModelSource source, is_named ? find_model(options.model) : default_model());
  LINNET_TRY(Graph graph, read_model_source(source, formats::read_model));
  if (!is_named && source.embedded)
    note(
        fmt::format("No model was named and none is in the cache: taking {}, a part of this program.\n"
                    "It sees {}x{} pixels and knows {}.\n"
                    "linnet models lists others, linnet pull fetches them.",
                    source.name, graph.input_shape().w, graph.input_shape().h, classes_text(graph)));
  return graph;
}

Result<Classifier> load_classifier(const ModelOptions& options) {
  LINNET_TRY(const Backend backend, parse_backend(options.backend));
  LINNET_TRY(const PictureOverrides overrides, picture_overrides(options));
  LINNET_TRY(const std::optional<cpu::Precision> precision, executor_precision(options));
  LINNET_TRY(Graph graph, read_model(options));
  LINNET_TRY(graph, with_precision(std::move(graph), options));
  std::vector<std::string> notices;
  LINNET_TRY(graph, settle_for_pictures(std::move(graph), overrides, notices));
  for (const std::string& notice : notices) note(notice);
  return Classifier::make(std::move(graph), backend, options.threads, precision);
}

}  // namespace linnet::cli
