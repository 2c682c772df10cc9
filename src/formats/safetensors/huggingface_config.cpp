#include "formats/safetensors/huggingface_config.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/file.h"
#include "formats/metadata/json.h"

namespace linnet::formats {
namespace {

constexpr int kMaxSide = 1 << 16;
constexpr std::uintmax_t kMaxBytes = 64u << 20;  // of a JSON file; labels of 20,000 classes are 2 MB

/// The JSON object in a file, or nothing where the file is absent.
Result<std::optional<Json>> read_json_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  if (file.bytes().size() > kMaxBytes)
    return fail("{}: {} bytes are too many for a configuration", path.string(), file.bytes().size());
  auto json = parse_json({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  if (!json) return fail("{}: {}", path.string(), json.error().message);
  if (!json->is_object()) return fail("{}: holds {}, expected an object", path.string(), shown(*json));
  return std::optional(*std::move(json));
}

// ---- transformers

Result<Activation> read_activation(const Json& json) {
  LINNET_TRY(const std::string name, string_or(json, "hidden_act", "relu6"));
  if (name == "relu6") return Activation::kRelu6;
  if (name == "relu") return Activation::kRelu;
  if (name == "hardswish") return Activation::kHardSwish;
  return fail("\"hidden_act\" is \"{}\"; Linnet runs relu6, relu and hardswish", name);
}

Result<FamilyConfig> read_family_config(const Json& json, Family family) {
  FamilyConfig config = dialect_config(family, Dialect::kHuggingFace);
  LINNET_TRY(config.width, number_or(json, "depth_multiplier", 1.0));
  LINNET_TRY(config.min_depth, integer_or(json, "min_depth", 8, 1, 1024));
  LINNET_TRY(config.tf_padding, bool_or(json, "tf_padding", true));
  LINNET_TRY(config.activation, read_activation(json));
  LINNET_TRY(config.resolution, integer_or(json, "image_size", 224, 1, kMaxSide));
  LINNET_TRY(const double epsilon, number_or(json, "layer_norm_eps", 0.001));
  config.batch_norm_epsilon = static_cast<float>(epsilon);
  LINNET_TRY(const int channels, integer_or(json, "num_channels", 3, 1, kMaxSide));
  if (channels != 3) return fail("\"num_channels\" is {}; Linnet reads models of RGB pictures", channels);
  if (family == Family::kMobileNetV1) return config;
  LINNET_TRY(config.divisor, integer_or(json, "depth_divisible_by", 8, 1, 1024));
  LINNET_TRY(config.expand_ratio, number_or(json, "expand_ratio", 6.0));
  LINNET_TRY(config.first_layer_is_expansion, bool_or(json, "first_layer_is_expansion", true));
  LINNET_TRY(const bool finegrained, bool_or(json, "finegrained_output", true));
  config.last_channels = finegrained ? LastChannels::kAtLeast : LastChannels::kScaled;
  LINNET_TRY(const int output_stride, integer_or(json, "output_stride", 32, 1, kMaxSide));
  if (output_stride != 32)
    return fail(
        "\"output_stride\" is {}: that network has dilated convolutions, which Linnet does not run; use one "
        "with 32",
        output_stride);
  return config;
}

/// "id2label": {"0": "tench", …}, every index there.
Result<std::vector<std::string>> read_labels(const Json& json) {
  const Json* map = find(json, "id2label");
  if (!map || map->is_null()) return {};
  if (!map->is_object()) return fail("\"id2label\" is {}, expected an object", shown(*map));
  std::vector<std::string> labels(map->size());
  std::vector<bool> seen(map->size(), false);
  for (const auto& [key, value] : map->items()) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= labels.size() || seen[index])
      return fail("\"id2label\" has the key \"{}\", but {} labels are numbered 0 to {}", key, labels.size(),
                  labels.size() - 1);
    if (!value.is_string())
      return fail("\"id2label\": label {} is {}, expected a string", index, shown(value));
    seen[index] = true;
    labels[index] = value.get<std::string>();
  }
  return labels;
}

Result<Filter> read_filter(const Json& json) {
  LINNET_TRY(const int resample, integer_or(json, "resample", 2, 0, 100));
  switch (resample) {  // Pillow's numbers
    case 0: return Filter::kNearest;
    case 2: return Filter::kBilinear;
    case 3: return Filter::kBicubic;
    default:
      return fail("\"resample\" is {}; Linnet has 0 (nearest), 2 (bilinear) and 3 (bicubic)", resample);
  }
}

/// {"height": H, "width": W}, {"shortest_edge": N}, or N, which means one of the two.
struct Size {
  std::optional<int> shortest_edge = {};
  int height = 0;
  int width = 0;
};

Result<Size> read_size(const Json& json, const char* key, Size otherwise, bool number_is_square) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return otherwise;
  Size size;
  if (value->is_number()) {
    LINNET_TRY(const int side, integer_or(json, key, 0, 1, kMaxSide));
    if (number_is_square)
      size.height = size.width = side;
    else
      size.shortest_edge = side;
  } else if (find(*value, "shortest_edge")) {
    const auto side = integer_or(*value, "shortest_edge", 0, 1, kMaxSide);
    if (!side) return fail("\"{}\": {}", key, side.error().message);
    size.shortest_edge = *side;
  } else {
    const auto height = integer_or(*value, "height", 0, 1, kMaxSide);
    const auto width = integer_or(*value, "width", 0, 1, kMaxSide);
    if (!height || !width || *height == 0 || *width == 0)
      return fail("\"{}\" is {}, expected a number, height and width, or shortest_edge", key, shown(*value));
    size.height = *height;
    size.width = *width;
  }
  return size;
}

Result<std::array<float, 3>> read_triple(const Json& json, const char* key, std::array<float, 3> otherwise) {
  const Json* value = find(json, key);
  if (!value || value->is_null()) return otherwise;
  std::array<float, 3> triple{};
  bool legal = value->is_array() && value->size() == 3;
  for (std::size_t i = 0; legal && i < 3; ++i) {
    legal = (*value)[i].is_number() && std::isfinite((*value)[i].get<double>());
    if (legal) triple[i] = (*value)[i].get<float>();
  }
  if (!legal) return fail("\"{}\" is {}, expected three numbers", key, shown(*value));
  return triple;
}

/// `resolution` becomes the size of the crop, which is what the network sees.
Result<Preprocessing> read_preprocessor(const Json& json, int& resolution) {
  Preprocessing p;
  p.crop_rounding = CropRounding::kDown;
  LINNET_TRY(const bool do_resize, bool_or(json, "do_resize", true));
  LINNET_TRY(const bool do_crop, bool_or(json, "do_center_crop", true));
  LINNET_TRY(const bool do_rescale, bool_or(json, "do_rescale", true));
  LINNET_TRY(const bool do_normalize, bool_or(json, "do_normalize", true));
  LINNET_TRY(p.filter, read_filter(json));
  LINNET_TRY(const Size size, read_size(json, "size", Size{.shortest_edge = 256}, false));
  LINNET_TRY(const Size crop, read_size(json, "crop_size", Size{.height = 224, .width = 224}, true));

  if (do_crop) {
    if (crop.height != crop.width || crop.shortest_edge)
      return fail(
          "\"crop_size\" is not square; Linnet's families take square pictures; make height and width equal");
    resolution = crop.height;
  }
  if (do_resize && size.shortest_edge) {
    if (!do_crop)
      return fail(
          "\"size\" is a shortest_edge and nothing is cropped: every picture would have another size; set "
          "do_center_crop");
    p.shortest_edge = size.shortest_edge;
  } else if (do_resize) {
    if (size.height != size.width || (do_crop && size.height != crop.height))
      return fail(
          "a resize to {}x{} that is not the square input of the network is not supported; use shortest_edge",
          size.height, size.width);
    resolution = size.height;
    p.resize_to_input = true;
  }
  LINNET_TRY(const double factor, number_or(json, "rescale_factor", 1.0 / 255.0));
  p.rescale = do_rescale ? factor : 1.0;
  if (do_normalize) {
    LINNET_TRY(p.mean, read_triple(json, "image_mean", {0.5f, 0.5f, 0.5f}));
    LINNET_TRY(p.deviation, read_triple(json, "image_std", {0.5f, 0.5f, 0.5f}));
    for (const float d : p.deviation)
      if (d == 0.0f) return fail("\"image_std\" holds a zero, by which nothing can be divided");
  }
  return p;
}

Result<ModelCard> transformers_card(const Json& json, std::string_view type) {
  ModelCard card;
  if (const Json* architectures = find(json, "architectures"); architectures && architectures->is_array())
    for (const Json& name : *architectures)
      if (name.is_string() && !name.get_ref<const std::string&>().ends_with("ForImageClassification"))
        return fail("\"architectures\" says {}; Linnet reads …ForImageClassification", shown(name));
  LINNET_TRY(card.hints.config,
             read_family_config(json, type == "mobilenet_v1" ? Family::kMobileNetV1 : Family::kMobileNetV2));
  LINNET_TRY(card.labels, read_labels(json));
  card.count_classes = card.labels.empty();
  if (!card.labels.empty()) card.hints.config->classes = static_cast<int>(card.labels.size());
  return card;
}

// ---- timm

Result<Preprocessing> timm_card_preprocessing(const Json& json, int resolution) {
  Preprocessing p = timm_preprocessing(resolution);
  LINNET_TRY(const double share, number_or(json, "crop_pct", 0.875));
  if (!(share > 0 && share <= 1)) return fail("\"crop_pct\" is {}, expected a share in (0, 1]", share);
  const double edge = std::floor(resolution / share);
  if (edge > kMaxSide) return fail("\"crop_pct\" is {}: the picture would be {} pixels", share, edge);
  p.shortest_edge = static_cast<int>(edge);
  LINNET_TRY(const std::string mode, string_or(json, "crop_mode", "center"));
  if (mode != "center") return fail("\"crop_mode\" is \"{}\"; Linnet crops the centre", mode);
  LINNET_TRY(const std::string filter, string_or(json, "interpolation", "bicubic"));
  if (filter != "bicubic" && filter != "bilinear")
    return fail("\"interpolation\" is \"{}\"; Linnet has bilinear and bicubic", filter);
  p.filter = filter == "bicubic" ? Filter::kBicubic : Filter::kBilinear;
  LINNET_TRY(p.mean, read_triple(json, "mean", p.mean));
  LINNET_TRY(p.deviation, read_triple(json, "std", p.deviation));
  for (const float d : p.deviation)
    if (d == 0.0f) return fail("\"std\" holds a zero, by which nothing can be divided");
  return p;
}

/// "label_names", which may be synsets that "label_descriptions" puts into words.
Result<std::vector<std::string>> timm_labels(const Json& json) {
  const Json* names = find(json, "label_names");
  if (!names || names->is_null()) return {};
  if (!names->is_array()) return fail("\"label_names\" is {}, expected a list", shown(*names));
  const Json* descriptions = find(json, "label_descriptions");
  std::vector<std::string> labels;
  for (const Json& name : *names) {
    if (!name.is_string()) return fail("\"label_names\" holds {}, expected strings", shown(name));
    const Json* words = descriptions ? find(*descriptions, name.get_ref<const std::string&>()) : nullptr;
    labels.push_back(words && words->is_string() ? words->get<std::string>() : name.get<std::string>());
  }
  return labels;
}

Result<ModelCard> timm_card(const Json& json, std::string_view architecture) {
  ModelCard card;
  card.hints.tensorflow = architecture.starts_with("tf_");
  LINNET_TRY(card.labels, timm_labels(json));
  const Json* nested = find(json, "pretrained_cfg");
  const Json& pretrained = nested ? *nested : json;
  int resolution = 224;
  if (const Json* size = find(pretrained, "input_size")) {
    const bool legal = size->is_array() && size->size() == 3 && (*size)[0] == 3 && (*size)[1] == (*size)[2] &&
                       (*size)[1].is_number_unsigned() && (*size)[1].get<std::uint64_t>() <= kMaxSide;
    if (!legal) return fail("\"input_size\" is {}, expected [3, N, N]", shown(*size));
    resolution = (*size)[1].get<int>();
  }
  card.hints.resolution = resolution;
  LINNET_TRY(card.preprocessing, timm_card_preprocessing(pretrained, resolution));
  return card;
}

Result<ModelCard> read_config(const Json& json) {
  LINNET_TRY(const std::string type, string_or(json, "model_type", ""));
  if (type == "mobilenet_v1" || type == "mobilenet_v2") return transformers_card(json, type);
  LINNET_TRY(const std::string architecture, string_or(json, "architecture", ""));
  if (architecture.find("mobilenet") != std::string::npos) return timm_card(json, architecture);
  return fail(
      "describes {}; Linnet reads \"model_type\" mobilenet_v1 and mobilenet_v2 and timm's \"architecture\" "
      "mobilenet…",
      !type.empty()          ? "the model_type \"" + type + "\""
      : architecture.empty() ? std::string("no model that it names")
                             : "the architecture \"" + architecture + "\"");
}

}  // namespace

Result<ModelCard> read_model_card(const std::filesystem::path& folder) {
  const auto config_path = folder / "config.json";
  LINNET_TRY(const std::optional<Json> config, read_json_file(config_path));
  if (!config)
    return fail(
        "{}: there is no config.json, so this is no Hugging Face folder; download it beside the weights",
        folder.string());
  auto card = read_config(*config);
  if (!card) return fail("{}: {}", config_path.string(), card.error().message);

  const auto preprocessor_path = folder / "preprocessor_config.json";
  LINNET_TRY(const std::optional<Json> preprocessor, read_json_file(preprocessor_path));
  if (preprocessor && card->hints.config) {
    auto preprocessing = read_preprocessor(*preprocessor, card->hints.config->resolution);
    if (!preprocessing) return fail("{}: {}", preprocessor_path.string(), preprocessing.error().message);
    card->preprocessing = *preprocessing;
  }
  return card;
}

}  // namespace linnet::formats
