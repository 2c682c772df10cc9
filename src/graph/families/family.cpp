#include "graph/families/family.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/ranges.h>

#include "graph/families/architectures.h"

namespace linnet {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"mobilenet_v1",
                                                    "mobilenet_v2",
                                                    "mobilenet_v3_large",
                                                    "mobilenet_v3_small",
                                                    "mobilenet_v4_conv_small",
                                                    "mobilenet_v4_conv_medium"};

constexpr double kMaxWidth = 4.0;
constexpr int kMaxResolution = 4096;
constexpr int kMaxClasses = 1 << 16;

std::optional<Family> find_family(std::string_view name) {
  const auto it = std::ranges::find(kNames, name);
  if (it == kNames.end()) return std::nullopt;
  return static_cast<Family>(it - kNames.begin());
}

/// The whole text as a number, or nothing.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes the text up to `separator`, or all of it, off `text`.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view head = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return head;
}

Result<std::vector<BlockStride>> parse_strides(std::string_view text) {
  std::vector<BlockStride> strides;
  do {
    std::string_view stride = take(text, ';');
    const auto block = parse_number<int>(take(stride, ':'));
    const auto value = parse_number<int>(stride);
    if (!block || !value) return usage("expected BLOCK:STRIDE pairs, as in strides=14:1;2:1");
    strides.push_back({*block, *value});
  } while (!text.empty());
  return strides;
}

/// Sets one key of the config. Errors say what the value should have been.
using Setter = Result<void> (*)(FamilyConfig&, std::string_view);

template <auto Member>
Result<void> set_number(FamilyConfig& config, std::string_view value) {
  using T = std::remove_reference_t<decltype(config.*Member)>;
  const auto number = parse_number<T>(value);
  if (!number) return usage("expected a number");
  config.*Member = *number;
  return {};
}

Result<void> set_strides(FamilyConfig& config, std::string_view value) {
  LINNET_TRY(config.strides, parse_strides(value));
  return {};
}

constexpr std::array<std::pair<std::string_view, Setter>, 6> kKeys = {{
    {"width", set_number<&FamilyConfig::width>},
    {"resolution", set_number<&FamilyConfig::resolution>},
    {"classes", set_number<&FamilyConfig::classes>},
    {"seed", set_number<&FamilyConfig::seed>},
    {"stem_stride", set_number<&FamilyConfig::stem_stride>},
    {"strides", set_strides},
}};

Result<void> check_range(const FamilyConfig& config) {
  const std::string_view name = to_string(config.family);
  const auto in_range = [&](std::string_view key, auto value, auto low, auto high) -> Result<void> {
    if (value >= low && value <= high) return {};
    return usage("{}: {}={} is out of range; it goes from {} to {}", name, key, value, low, high);
  };
  if (!(config.width > 0.0 && config.width <= kMaxWidth))
    return usage("{}: width={} is out of range; it is above 0 and at most {}", name, config.width, kMaxWidth);
  LINNET_CHECK(in_range("resolution", config.resolution, 1, kMaxResolution));
  LINNET_CHECK(in_range("classes", config.classes, 1, kMaxClasses));
  LINNET_CHECK(in_range("stem_stride", config.stem_stride, 1, 2));
  LINNET_CHECK(in_range("divisor", config.divisor, 1, 1024));
  LINNET_CHECK(in_range("min_depth", config.min_depth, 1, 1024));
  LINNET_CHECK(in_range("expand_ratio", config.expand_ratio, 0.125, 64.0));
  LINNET_CHECK(in_range("batch_norm_epsilon", config.batch_norm_epsilon, 0.0f, 1.0f));
  const int blocks = block_count(config.family);
  std::vector<bool> named(static_cast<std::size_t>(blocks) + 1, false);
  for (const auto& [block, stride] : config.strides) {
    if (block < 1 || block > blocks)
      return usage("{}: strides={}:{}: the blocks are numbered 1 to {}", name, block, stride, blocks);
    if (stride < 1 || stride > 2)
      return usage("{}: strides={}:{}: a block's stride is 1 or 2", name, block, stride);
    if (named[static_cast<std::size_t>(block)])
      return usage("{}: strides: block {} is named twice", name, block);
    named[static_cast<std::size_t>(block)] = true;
  }
  return {};
}

Result<Graph> build_family(const FamilyConfig& config, const WeightSource& source) {
  switch (config.family) {
    case Family::kMobileNetV1: return families::mobilenet_v1(config, source);
    case Family::kMobileNetV2: return families::mobilenet_v2(config, source);
    case Family::kMobileNetV3Large:
    case Family::kMobileNetV3Small: return families::mobilenet_v3(config, source);
    case Family::kMobileNetV4ConvSmall:
    case Family::kMobileNetV4ConvMedium: return families::mobilenet_v4(config, source);
  }
  return fail("no such family");
}

/// torchvision's _make_divisible, and everybody's.
int make_divisible(double value, int divisor, int min_depth) {
  const auto nearest = static_cast<int>(value + divisor / 2.0) / divisor * divisor;
  const int rounded = std::max(min_depth, nearest);
  return rounded < 0.9 * value ? rounded + divisor : rounded;
}

}  // namespace

std::span<const std::string_view> family_names() { return kNames; }

std::string_view to_string(Family family) { return kNames[static_cast<std::size_t>(family)]; }

FamilyConfig dialect_config(Family family, Dialect dialect) {
  FamilyConfig config = default_config(family);
  config.dialect = dialect;
  const bool is_v1 = family == Family::kMobileNetV1;
  const bool is_v2 = family == Family::kMobileNetV2;
  const bool is_v3 = family == Family::kMobileNetV3Large || family == Family::kMobileNetV3Small;
  switch (dialect) {
    case Dialect::kUnknown:
    case Dialect::kTorchvision: break;
    case Dialect::kHuggingFace:
      if (!is_v1 && !is_v2) break;
      config.tf_padding = true;
      config.batch_norm_epsilon = 1e-3f;
      config.channel_rule = is_v1 ? ChannelRule::kTruncated : ChannelRule::kRoundedDivisible;
      config.first_block_residual = false;
      break;
    case Dialect::kTimm:
      config.batch_norm_epsilon = 1e-5f;
      config.channel_rule = ChannelRule::kDivisible;
      if (!is_v3) break;
      config.last_channels = LastChannels::kFixed;
      config.full_stem_below = 0.75;
      config.timm_expansion = true;
      break;
    case Dialect::kTensorflow:
      config.tf_padding = true;
      config.batch_norm_epsilon = 1e-3f;
      break;
  }
  return config;
}

FamilyConfig default_config(Family family) {
  FamilyConfig config{.family = family};
  switch (family) {
    case Family::kMobileNetV1:
      config.dialect = Dialect::kHuggingFace;
      config.channel_rule = ChannelRule::kTruncated;
      config.batch_norm_epsilon = 1e-3f;
      break;
    case Family::kMobileNetV2: config.dialect = Dialect::kTorchvision; break;
    case Family::kMobileNetV3Large:
    case Family::kMobileNetV3Small:
      config.dialect = Dialect::kTorchvision;
      config.last_channels = LastChannels::kScaled;
      config.batch_norm_epsilon = 1e-3f;
      break;
    case Family::kMobileNetV4ConvSmall:
    case Family::kMobileNetV4ConvMedium:
      config.dialect = Dialect::kTimm;
      config.activation = Activation::kRelu;
      config.last_channels = LastChannels::kFixed;
      config.full_stem_below = 1.0;
      break;
  }
  return config;
}

bool names_family(std::string_view model) { return find_family(take(model, ':')).has_value(); }

Result<FamilyConfig> parse_family(std::string_view model) {
  std::string_view rest = model;
  const std::string_view name = take(rest, ':');
  const auto family = find_family(name);
  if (!family)
    return usage("\"{}\" is not a network family; the families are {}", name, fmt::join(kNames, ", "));
  FamilyConfig config = default_config(*family);
  std::vector<std::string_view> seen;
  while (!rest.empty()) {
    std::string_view value = take(rest, ',');
    const std::string_view key = take(value, '=');
    const auto known = std::ranges::find(kKeys, key, [](const auto& k) { return k.first; });
    if (known == kKeys.end()) {
      std::vector<std::string_view> keys;
      for (const auto& k : kKeys) keys.push_back(k.first);
      return usage("{}: unknown key \"{}\"; the keys are {}, written {}:width=0.5,strides=14:1;2:1", name,
                   key, fmt::join(keys, ", "), name);
    }
    if (std::ranges::find(seen, key) != seen.end()) return usage("{}: the key {} stands twice", name, key);
    seen.push_back(key);
    if (const auto set = known->second(config, value); !set)
      return usage("{}: {}={}: {}", name, key, value, set.error().message);
  }
  LINNET_CHECK(check_range(config));
  return config;
}

std::string to_string(const FamilyConfig& config) {
  const FamilyConfig usual = default_config(config.family);
  std::vector<std::string> keys;
  const auto say = [&](std::string_view key, const auto& value, const auto& ordinary) {
    if (value != ordinary) keys.push_back(fmt::format("{}={}", key, value));
  };
  say("width", config.width, usual.width);
  say("resolution", config.resolution, usual.resolution);
  say("classes", config.classes, usual.classes);
  say("seed", config.seed, usual.seed);
  say("stem_stride", config.stem_stride, usual.stem_stride);
  std::vector<std::string> strides;
  for (const auto& [block, stride] : config.strides) strides.push_back(fmt::format("{}:{}", block, stride));
  if (!strides.empty()) keys.push_back(fmt::format("strides={}", fmt::join(strides, ";")));
  return fmt::format("{}{}{}", to_string(config.family), keys.empty() ? "" : ":", fmt::join(keys, ","));
}

int block_count(Family family) {
  switch (family) {
    case Family::kMobileNetV1: return families::kV1Blocks;
    case Family::kMobileNetV2: return families::kV2Blocks;
    case Family::kMobileNetV3Large: return families::kV3LargeBlocks;
    case Family::kMobileNetV3Small: return families::kV3SmallBlocks;
    case Family::kMobileNetV4ConvSmall: return families::kV4SmallBlocks;
    case Family::kMobileNetV4ConvMedium: return families::kV4MediumBlocks;
  }
  return 0;
}

int scale_channels(const FamilyConfig& config, int channels) {
  const double scaled = channels * config.width;
  switch (config.channel_rule) {
    case ChannelRule::kDivisible: return make_divisible(scaled, config.divisor, config.min_depth);
    case ChannelRule::kRoundedDivisible:
      return make_divisible(std::nearbyint(scaled), config.divisor, config.min_depth);
    case ChannelRule::kTruncated: return std::max(static_cast<int>(scaled), config.min_depth);
  }
  return channels;
}

int last_channels(const FamilyConfig& config, int channels) {
  const bool scaled = config.last_channels == LastChannels::kScaled ||
                      (config.last_channels == LastChannels::kAtLeast && config.width >= 1.0);
  return scaled ? scale_channels(config, channels) : channels;
}

std::optional<double> find_width(FamilyConfig config, std::span<const ChannelPair> channels) {
  for (const int steps : {20, 100, 1000})
    for (int i = 1; i <= kMaxWidth * steps; ++i) {
      config.width = static_cast<double>(i) / steps;
      if (std::ranges::all_of(
              channels, [&](const ChannelPair& c) { return scale_channels(config, c.nominal) == c.actual; }))
        return config.width;
    }
  return std::nullopt;
}

Result<Graph> build(const FamilyConfig& config) { return build(config, families::untrained(config.seed)); }

Result<Graph> build(const FamilyConfig& config, const WeightSource& source) {
  LINNET_CHECK(check_range(config));
  LINNET_TRY(Graph graph, build_family(config, source));
  graph.dialect = config.dialect;
  return graph;
}

}  // namespace linnet
