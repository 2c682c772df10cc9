#include "formats/metadata/metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>

#include <fmt/ranges.h>

#include "base/utf8.h"
#include "formats/metadata/json.h"

namespace linnet::formats {
namespace {

constexpr int kMaxEdge = 1 << 16;

/// The enumerators of T and their spelling in files.
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
Result<T> enum_or(const Json& json, std::string_view key, const Names<T, N>& names, T otherwise) {
  LINNET_TRY(const std::string name, string_or(json, key, name_of(names, otherwise)));
  const auto found = std::ranges::find(names, name, &std::pair<T, std::string_view>::second);
  if (found == names.end())
    return fail("\"{}\" is \"{}\", expected one of {}", key, name,
                fmt::join(names | std::views::values, ", "));
  return found->first;
}

Result<std::array<float, 3>> triple(const Json& json, std::string_view key) {
  const Json* value = find(json, key);
  if (!value) return fail("\"{}\" is missing", key);
  if (!value->is_array() || value->size() != 3)
    return fail("\"{}\" is {}, expected three numbers", key, shown(*value));
  std::array<float, 3> numbers{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = to_float((*value)[i]);
    if (!number) return fail("\"{}\": value {} {}", key, i, number.error().message);
    numbers[i] = *number;
  }
  return numbers;
}

bool all_finite(const Preprocessing& p) {
  const auto finite = [](float v) { return std::isfinite(v); };
  return std::isfinite(p.central_fraction.value_or(1.0)) && std::isfinite(p.rescale) &&
         std::ranges::all_of(p.mean, finite) && std::ranges::all_of(p.deviation, finite);
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

}  // namespace

Result<std::map<std::string, std::string, std::less<>>> metadata_entries(const Graph& graph) {
  std::map<std::string, std::string, std::less<>> entries;
  if (!graph.labels.empty()) {
    const auto illegal = std::ranges::find_if_not(graph.labels, is_utf8);
    if (illegal != graph.labels.end())
      return fail("{}: the label of class {} is not UTF-8; convert the labels to UTF-8 before writing",
                  graph.name, illegal - graph.labels.begin());
    entries.emplace(kLabelsKey, Json(graph.labels).dump());
  }
  if (graph.preprocessing) {
    if (!all_finite(*graph.preprocessing))
      return fail(
          "{}: its preprocessing holds a number that is not finite, which a file cannot say; set finite "
          "mean, deviation and rescale",
          graph.name);
    entries.emplace(kPreprocessingKey, to_json(*graph.preprocessing).dump());
  }
  return entries;
}

Result<std::vector<std::string>> labels_from_json(std::string_view text) {
  LINNET_TRY(const Json json, parse_json(text));
  if (!json.is_array()) return fail("is {}, expected a list of strings", shown(json));
  std::vector<std::string> labels;
  for (const Json& label : json) {
    if (!label.is_string()) return fail("holds {}, expected strings", shown(label));
    labels.push_back(label.get<std::string>());
  }
  return labels;
}

Result<Preprocessing> preprocessing_from_json(std::string_view text) {
  LINNET_TRY(const Json json, parse_json(text));
  if (!json.is_object()) return fail("is {}, expected an object", shown(json));
  Preprocessing p;
  if (find(json, "central_fraction")) {
    LINNET_TRY(p.central_fraction, number_or(json, "central_fraction", 1.0));
    if (!(*p.central_fraction > 0 && *p.central_fraction <= 1))
      return fail("\"central_fraction\" is {}, expected a number in (0, 1]", *p.central_fraction);
  }
  if (find(json, "shortest_edge")) {
    LINNET_TRY(p.shortest_edge, integer_or(json, "shortest_edge", 1, 1, kMaxEdge));
  }
  LINNET_TRY(p.resize_to_input, bool_or(json, "resize_to_input", false));
  if (p.resize_to_input && p.shortest_edge)
    return fail("\"shortest_edge\" and \"resize_to_input\" exclude each other");
  LINNET_TRY(p.filter, enum_or(json, "filter", kFilters, p.filter));
  LINNET_TRY(p.resampler, enum_or(json, "resampler", kResamplers, p.resampler));
  LINNET_TRY(p.crop_rounding, enum_or(json, "crop_rounding", kCropRoundings, p.crop_rounding));
  if (!find(json, "rescale")) return fail("\"rescale\" is missing");
  LINNET_TRY(p.rescale, number_or(json, "rescale", 1.0));
  LINNET_TRY(p.mean, triple(json, "mean"));
  LINNET_TRY(p.deviation, triple(json, "deviation"));
  if (std::ranges::count(p.deviation, 0.0f) != 0)
    return fail("\"deviation\" holds a zero, by which nothing can be divided");
  return p;
}

Result<Dialect> dialect_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Dialect::kTensorflow); ++i) {
    names.push_back(to_string(static_cast<Dialect>(i)));
    if (name == names.back()) return static_cast<Dialect>(i);
  }
  return fail("is \"{}\", expected one of {}", name, fmt::join(names, ", "));
}

}  // namespace linnet::formats
