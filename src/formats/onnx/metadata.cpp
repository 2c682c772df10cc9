#include "formats/onnx/metadata.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

namespace linnet::formats::onnx {
namespace {

using Json = nlohmann::ordered_json;
using onnx_schema::ModelProto;

constexpr std::string_view kLabels = "linnet.labels";
constexpr std::string_view kPreprocessing = "linnet.preprocessing";
constexpr std::string_view kDialect = "linnet.dialect";

template <class T, std::size_t N>
using Names = std::array<std::pair<T, std::string_view>, N>;

constexpr Names<Filter, 3> kFilters = {
    {{Filter::kNearest, "nearest"}, {Filter::kBilinear, "bilinear"}, {Filter::kBicubic, "bicubic"}}};
constexpr Names<Resampler, 2> kResamplers = {
    {{Resampler::kPillow, "pillow"}, {Resampler::kTensorflow, "tensorflow"}}};
constexpr Names<CropRounding, 2> kCropRoundings = {
    {{CropRounding::kDown, "down"}, {CropRounding::kToEven, "to_even"}}};

template <class T, std::size_t N>
std::string_view name_of(const Names<T, N>& names, T value) {
  return std::ranges::find(names, value, &std::pair<T, std::string_view>::first)->second;
}

template <class T, std::size_t N>
Result<T> read_name(const Json& json, std::string_view key, const Names<T, N>& names) {
  const auto text = json.value(std::string(key), std::string());
  const auto found = std::ranges::find(names, text, &std::pair<T, std::string_view>::second);
  if (found == names.end()) return fail("\"{}\" is \"{}\", which Linnet does not know", key, text);
  return found->first;
}

Result<Preprocessing> read_preprocessing(const Json& json) {
  Preprocessing p;
  if (json.contains("central_fraction")) p.central_fraction = json.at("central_fraction").get<double>();
  if (json.contains("shortest_edge")) p.shortest_edge = json.at("shortest_edge").get<int>();
  p.resize_to_input = json.value("resize_to_input", false);
  LINNET_TRY(p.filter, read_name(json, "filter", kFilters));
  LINNET_TRY(p.resampler, read_name(json, "resampler", kResamplers));
  LINNET_TRY(p.crop_rounding, read_name(json, "crop_rounding", kCropRoundings));
  p.rescale = json.at("rescale").get<double>();
  p.mean = json.at("mean").get<std::array<float, 3>>();
  p.deviation = json.at("deviation").get<std::array<float, 3>>();
  const double fraction = p.central_fraction.value_or(1);
  if (!(fraction > 0 && fraction <= 1)) return fail("\"central_fraction\" is {}, expected (0, 1]", fraction);
  const int edge = p.shortest_edge.value_or(1);
  if (edge < 1 || edge > 1 << 16) return fail("\"shortest_edge\" is {}, expected 1 to 65536", edge);
  if (p.resize_to_input && p.shortest_edge)
    return fail("\"shortest_edge\" and \"resize_to_input\" exclude each other");
  if (std::ranges::count(p.deviation, 0.0f) != 0) return fail("\"deviation\" holds a zero");
  return p;
}

Json to_json(const Preprocessing& p) {
  Json json = Json::object();
  if (p.central_fraction) json["central_fraction"] = *p.central_fraction;
  if (p.shortest_edge) json["shortest_edge"] = *p.shortest_edge;
  json["resize_to_input"] = p.resize_to_input;
  json["filter"] = name_of(kFilters, p.filter);
  json["resampler"] = name_of(kResamplers, p.resampler);
  json["crop_rounding"] = name_of(kCropRoundings, p.crop_rounding);
  json["rescale"] = p.rescale;
  json["mean"] = p.mean;
  json["deviation"] = p.deviation;
  return json;
}

/// Runs `read` on the JSON text; what nlohmann throws about wrong kinds becomes an error.
template <class Read>
Result<void> with_json(std::string_view text, Read read) {
  try {
    return read(Json::parse(text));
  } catch (const nlohmann::json::exception& e) {
    return fail("{}", e.what());
  }
}

Result<void> read_entry(std::string_view key, const std::string& text, Graph& graph) {
  if (key == kLabels)
    return with_json(text, [&](const Json& json) -> Result<void> {
      graph.labels = json.get<std::vector<std::string>>();
      return {};
    });
  if (key == kPreprocessing)
    return with_json(text, [&](const Json& json) -> Result<void> {
      LINNET_TRY(graph.preprocessing, read_preprocessing(json));
      return {};
    });
  if (key == kDialect)
    for (const Dialect dialect : {Dialect::kUnknown, Dialect::kHuggingFace, Dialect::kTorchvision,
                                  Dialect::kTimm, Dialect::kTensorflow})
      if (to_string(dialect) == text) graph.dialect = dialect;
  return {};
}

/// What an exporter's name says about the library that the weights come from.
Dialect dialect_of_exporter(const ModelProto& model) {
  const std::string& producer = model.producer_name();
  if (producer.starts_with("tf2onnx") || producer.starts_with("keras")) return Dialect::kTensorflow;
  if (producer != "pytorch") return Dialect::kUnknown;
  const bool timm = std::ranges::any_of(model.graph().initializer(), [](const auto& tensor) {
    return tensor.name().find("conv_stem") != std::string::npos;
  });
  return timm ? Dialect::kTimm : Dialect::kTorchvision;
}

/// Whether the first layer turns pixels of 0 … 255 into small numbers, as Keras' models with their own
/// Rescaling do.
bool rescales_pixels(const Graph& graph) {
  constexpr float kSmall = 1.0f / 32;
  return std::ranges::any_of(graph.nodes, [&](const Node& node) {
    const auto* norm = std::get_if<BatchNorm>(&node.op);
    return norm && node.inputs[0] == 0 &&
           std::ranges::all_of(norm->scale.values(), [](float v) { return std::abs(v) < kSmall; });
  });
}

void add_entry(ModelProto& model, std::string_view key, std::string_view value) {
  auto& entry = *model.add_metadata_props();
  entry.set_key(std::string(key));
  entry.set_value(std::string(value));
}

}  // namespace

Result<void> read_metadata(const ModelProto& model, std::string_view file, Graph& graph) {
  graph.dialect = dialect_of_exporter(model);
  for (const auto& entry : model.metadata_props())
    if (const auto read = read_entry(entry.key(), entry.value(), graph); !read)
      return fail("{}: metadata \"{}\": {}", file, entry.key(), read.error().message);
  if (!graph.preprocessing && graph.dialect == Dialect::kTensorflow && rescales_pixels(graph)) {
    graph.preprocessing = tensorflow_preprocessing();
    graph.preprocessing->rescale = 1;
    graph.preprocessing->mean = {0, 0, 0};
    graph.preprocessing->deviation = {1, 1, 1};
  }
  return {};
}

Result<void> write_metadata(const Graph& graph, ModelProto& model) {
  const auto dump = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  if (!graph.labels.empty()) add_entry(model, kLabels, dump(Json(graph.labels)));
  if (graph.preprocessing) {
    const Preprocessing& p = *graph.preprocessing;
    for (const double v :
         {p.central_fraction.value_or(1.0), p.rescale, double{p.mean[0]}, double{p.mean[1]},
          double{p.mean[2]}, double{p.deviation[0]}, double{p.deviation[1]}, double{p.deviation[2]}})
      if (!std::isfinite(v))
        return fail("{}: preprocessing holds {}, which a file cannot say", graph.name, v);
    add_entry(model, kPreprocessing, dump(to_json(p)));
  }
  if (graph.dialect != Dialect::kUnknown) add_entry(model, kDialect, to_string(graph.dialect));
  return {};
}

}  // namespace linnet::formats::onnx
