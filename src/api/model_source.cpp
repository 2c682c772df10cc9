#include "api/model_source.h"

#include <cmath>
#include <cstdlib>

#include "data/labels.h"
#include "formats/safetensors/safetensors.h"
#include "hub/cache/cache.h"

namespace linnet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefault = "mobilenet_v2_1.0_224";

std::optional<ModelSource> find_in_cache(std::string_view model) {
  const auto cache = hub::cache_folder();
  if (!cache) return std::nullopt;
  const hub::KnownModel* known = hub::find_known(model);
  if (!known) return std::nullopt;
  const auto cached = hub::find_cached(*cache, known->name);
  if (!cached) return std::nullopt;
  return ModelSource{.name = std::string(known->name), .path = cached->model_path(), .known = known};
}

ModelSource source_of(const hub::EmbeddedModel& model) {
  return {.name = std::string(model.name), .embedded = &model};
}

Result<std::array<float, 3>> three_values(const std::vector<float>& values, std::string_view option) {
  if (values.size() != 3 && values.size() != 1)
    return usage(
        "{} takes one number, or one each for red, green and blue ({} 0.485,0.456,0.406); it was given {}",
        option, option, values.size());
  for (const float value : values)
    if (!std::isfinite(value)) return usage("{} takes finite numbers, not {}", option, value);
  if (values.size() == 1) return std::array{values[0], values[0], values[0]};
  return std::array{values[0], values[1], values[2]};
}

/// What the file does not say, from its dialect; a bare ImageNet model of no known dialect is taken for
/// torchvision's, or for TensorFlow's where it has their background class.
std::optional<Preprocessing> usual_preprocessing(const Graph& graph, std::string& whose) {
  const int resolution = graph.input_shape().h;
  Dialect dialect = graph.dialect;
  if (dialect == Dialect::kUnknown && graph.input_shape().c == 3) {
    if (graph.output_shape().c == 1000) dialect = Dialect::kTorchvision;
    if (graph.output_shape().c == 1001) dialect = Dialect::kTensorflow;
  }
  whose = to_string(dialect);
  return dialect_preprocessing(dialect, resolution);
}

std::string describe(const Preprocessing& p) {
  const auto triple = [](const std::array<float, 3>& v) {
    return fmt::format("{:g},{:g},{:g}", v[0], v[1], v[2]);
  };
  std::string text;
  if (p.central_fraction) text += fmt::format("the central {:g} %, ", 100 * *p.central_fraction);
  if (p.shortest_edge) text += fmt::format("shorter edge to {}, ", *p.shortest_edge);
  if (p.resize_to_input) text += "resized to the input, ";
  text += p.filter == Filter::kBicubic ? "bicubic" : p.filter == Filter::kBilinear ? "bilinear" : "nearest";
  return text + ", mean " + triple(p.mean) + ", std " + triple(p.deviation);
}

}  // namespace

Result<ModelSource> find_model(std::string_view model) {
  if (model.empty()) return usage("the name of the model is empty; linnet models lists the names");
  std::error_code ignored;
  if (fs::exists(fs::path(model), ignored)) return ModelSource{.name = std::string(model), .path = model};
  if (names_family(model)) {
    LINNET_TRY(const FamilyConfig config, parse_family(model));
    return ModelSource{.name = std::string(model), .family = config};
  }
  if (const hub::EmbeddedModel* embedded = hub::find_embedded(model)) return source_of(*embedded);
  if (auto cached = find_in_cache(model)) return *std::move(cached);
  if (const hub::KnownModel* known = hub::find_known(model))
    return fail("{}: is not in the cache; linnet pull {} fetches it", model, known->name);
  std::string families;
  for (const std::string_view name : family_names())
    families.append(families.empty() ? "" : ", ").append(name);
  return fail(
      "{}: there is no such file or folder, and no model of that name. linnet models lists the names; an "
      "untrained family is one of {}",
      model, families);
}

Result<ModelSource> default_model() {
  if (auto source = find_in_cache(kDefault)) return *std::move(source);
  for (const hub::KnownModel& known : hub::known_models())
    if (auto source = find_in_cache(known.name)) return *std::move(source);
  if (const char* data = std::getenv("LINNET_DATA"); data && *data) {
    const fs::path folder = fs::path(data) / "models" / "huggingface" / kDefault;
    std::error_code ignored;
    if (fs::exists(folder, ignored)) return ModelSource{.name = folder.string(), .path = folder};
  }
  if (const auto models = hub::embedded_models(); !models.empty()) return source_of(models.front());
  return fail(
      "There is no model on this machine yet, and none was named.\n"
      "Fetch one into the cache:           linnet pull {}\n"
      "Or name a file or folder of yours:  linnet classify --model M PHOTO",
      kDefault);
}

Result<Graph> read_model_source(const ModelSource& source, const ModelReader& reader) {
  if (source.family) return build(*source.family);
  if (source.embedded) return formats::read_safetensors(source.embedded->file, nullptr, source.name);
  LINNET_TRY(Graph graph, reader(source.path));
  if (source.known && source.known->shortest_edge > 0 && !graph.preprocessing) {
    graph.preprocessing = dialect_preprocessing(graph.dialect, graph.input_shape().h);
    if (graph.preprocessing) graph.preprocessing->shortest_edge = source.known->shortest_edge;
  }
  return graph;
}

Result<Graph> settle_for_pictures(Graph graph, const PictureOverrides& overrides,
                                  std::vector<std::string>& notices) {
  if (overrides.labels) {
    LINNET_TRY(graph.labels, data::read_labels(*overrides.labels, graph.output_shape().c));
  }
  const int resolution = graph.input_shape().h;
  if (overrides.crop && *overrides.crop != resolution)
    return usage("--crop {}: {} takes pictures of {}x{}, so the crop is {}", *overrides.crop, graph.name,
                 resolution, graph.input_shape().w, resolution);
  if (overrides.resize && *overrides.resize < resolution)
    return usage("--resize {}: is smaller than the crop of {}; name at least {}", *overrides.resize,
                 resolution, resolution);

  const bool says_enough = overrides.mean && overrides.deviation;
  if (!graph.preprocessing) {
    std::string whose;
    graph.preprocessing = usual_preprocessing(graph, whose);
    if (graph.preprocessing) {
      notices.push_back(
          fmt::format("The file does not say how pictures are prepared; taking what is usual in {}: {}.",
                      whose, describe(*graph.preprocessing)));
    } else if (says_enough) {
      graph.preprocessing = Preprocessing{};
      graph.preprocessing->resize_to_input = true;
    } else {
      return fail(
          "{}: does not say how pictures are prepared, and it is no ImageNet model of a known library; say "
          "it with --mean and --std, and with --resize unless the whole picture is resized to the model's "
          "input",
          graph.name);
    }
  }
  Preprocessing& p = *graph.preprocessing;
  if (overrides.resize) {
    p.central_fraction.reset();
    p.resize_to_input = false;
    p.shortest_edge = *overrides.resize;
  }
  if (overrides.filter) p.filter = *overrides.filter;
  if (overrides.mean) {
    LINNET_TRY(p.mean, three_values(*overrides.mean, "--mean"));
  }
  if (overrides.deviation) {
    LINNET_TRY(p.deviation, three_values(*overrides.deviation, "--std"));
    for (const float value : p.deviation)
      if (value <= 0) return usage("--std takes numbers above 0, not {}", value);
  }
  return graph;
}

}  // namespace linnet
