#include "formats/state_dict/state_dict.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/state_dict/names.h"

namespace linnet::formats {
namespace {

/// A layer whose output channels tell the width: its canonical name and its channels in the paper.
struct Landmark {
  std::string_view node;
  int channels;
};

constexpr Landmark kV1[] = {{"features.0.0", 32},         {"features.1.conv.1.0", 64},
                            {"features.2.conv.1.0", 128}, {"features.4.conv.1.0", 256},
                            {"features.6.conv.1.0", 512}, {"features.12.conv.1.0", 1024}};
constexpr Landmark kV2[] = {{"features.0.0", 32},       {"features.2.conv.2", 24},
                            {"features.4.conv.2", 32},  {"features.7.conv.2", 64},
                            {"features.11.conv.2", 96}, {"features.14.conv.2", 160},
                            {"features.17.conv.2", 320}};
constexpr Landmark kV3Large[] = {{"features.2.block.2.0", 24},
                                 {"features.4.block.3.0", 40},
                                 {"features.7.block.2.0", 80},
                                 {"features.11.block.3.0", 112},
                                 {"features.13.block.3.0", 160}};
constexpr Landmark kV3Small[] = {{"features.2.block.2.0", 24},
                                 {"features.4.block.3.0", 40},
                                 {"features.7.block.3.0", 48},
                                 {"features.9.block.3.0", 96}};
// Layers that torchvision scales and timm does not.
constexpr Landmark kV3LargeExpanded[] = {{"features.8.block.0.0", 200},
                                         {"features.11.block.0.0", 480},
                                         {"features.12.block.0.0", 672},
                                         {"features.14.block.0.0", 960}};
constexpr Landmark kV3SmallExpanded[] = {
    {"features.8.block.0.0", 144}, {"features.9.block.0.0", 288}, {"features.10.block.0.0", 576}};
// timm's stem keeps its channels below a width: no landmark in V3 and V4.
constexpr Landmark kV4ConvSmall[] = {
    {"blocks.2.0.pw_proj.conv", 96}, {"blocks.3.0.pw_proj.conv", 128}, {"blocks.4.0.conv", 960}};
constexpr Landmark kV4ConvMedium[] = {{"blocks.1.0.pw_proj.conv", 80},
                                      {"blocks.2.0.pw_proj.conv", 160},
                                      {"blocks.3.0.pw_proj.conv", 256},
                                      {"blocks.4.0.conv", 960}};

std::vector<Landmark> landmarks(const FamilyConfig& config) {
  std::vector<Landmark> all;
  const auto add = [&](std::span<const Landmark> some) { all.insert(all.end(), some.begin(), some.end()); };
  switch (config.family) {
    case Family::kMobileNetV1: add(kV1); break;
    case Family::kMobileNetV2: add(kV2); break;
    case Family::kMobileNetV3Large:
      add(kV3Large);
      if (!config.timm_expansion) add(kV3LargeExpanded);
      break;
    case Family::kMobileNetV3Small:
      add(kV3Small);
      if (!config.timm_expansion) add(kV3SmallExpanded);
      break;
    case Family::kMobileNetV4ConvSmall: add(kV4ConvSmall); break;
    case Family::kMobileNetV4ConvMedium: add(kV4ConvMedium); break;
  }
  return all;
}

/// The layer before the classifier, which has a rule of its own (LastChannels).
Landmark last_layer(Family family) {
  switch (family) {
    case Family::kMobileNetV1: return {"features.13.conv.1.0", 1024};
    case Family::kMobileNetV2: return {"features.18.0", 1280};
    case Family::kMobileNetV3Large: return {"classifier.0", 1280};
    case Family::kMobileNetV3Small: return {"classifier.0", 1024};
    case Family::kMobileNetV4ConvSmall:
    case Family::kMobileNetV4ConvMedium: return {"conv_head", 1280};
  }
  return {};
}

std::string_view classifier(Family family) {
  switch (family) {
    case Family::kMobileNetV1:
    case Family::kMobileNetV2: return "classifier.1";
    case Family::kMobileNetV3Large:
    case Family::kMobileNetV3Small: return "classifier.3";
    case Family::kMobileNetV4ConvSmall:
    case Family::kMobileNetV4ConvMedium: return "classifier";
  }
  return "";
}

/// Length of the first axis of a node's weight (its output channels), or nothing.
std::optional<int> output_channels(const TensorMap& tensors, const NodeNames& names, std::string_view node) {
  const auto found = tensors.find(tensor_name(names, std::string(node) + ".weight"));
  if (found == tensors.end() || found->second.dims.empty()) return std::nullopt;
  const std::int64_t channels = found->second.dims[0];
  if (channels < 1 || channels > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(channels);
}

/// What is usual for a library's weights of a family, where no neighbour of the file says otherwise.
FamilyConfig usual_config(const Naming& naming, const Hints& hints) {
  FamilyConfig config = dialect_config(naming.family, naming.dialect);
  if (hints.tensorflow) {
    config.dialect = Dialect::kTensorflow;
    config.tf_padding = true;
    config.batch_norm_epsilon = 1e-3f;
  }
  config.resolution = hints.resolution.value_or(config.resolution);
  return config;
}

/// The width that gives every layer its channels: of several, one that people publish.
std::optional<double> infer_width(FamilyConfig config, const std::vector<ChannelPair>& channels) {
  for (const double usual : {1.0, 0.75, 0.5, 0.35, 0.25, 1.4, 1.3, 1.2, 1.1}) {
    config.width = usual;
    if (std::ranges::all_of(
            channels, [&](const ChannelPair& c) { return scale_channels(config, c.nominal) == c.actual; }))
      return usual;
  }
  return find_width(config, channels);
}

/// The configuration that the shapes tell.
Result<FamilyConfig> infer_config(const TensorMap& tensors, const Naming& naming, const Hints& hints) {
  FamilyConfig config = usual_config(naming, hints);
  config.first_layer_is_expansion = !tensors.contains("mobilenet_v2.conv_stem.expand_1x1.convolution.weight");
  const NodeNames names = node_names(naming, config.first_layer_is_expansion);

  const auto classes = output_channels(tensors, names, classifier(naming.family));
  if (!classes)
    return fail(
        "there is no classifier (\"{}\"): a backbone alone gives no labels; save the model "
        "with its classification head",
        tensor_name(names, std::string(classifier(naming.family)) + ".weight"));
  config.classes = *classes;

  std::vector<ChannelPair> channels;
  std::vector<std::string> found;
  for (const auto& [node, nominal] : landmarks(config)) {
    const auto actual = output_channels(tensors, names, node);
    if (!actual) continue;  // the builder will miss it by name
    channels.push_back({nominal, *actual});
    found.push_back(fmt::format("{} for {}", *actual, nominal));
  }
  const auto width = infer_width(config, channels);
  if (!width)
    return fail(
        "the channels of its layers fit no width of {}: {}; Linnet reads the published networks at any "
        "width",
        to_string(naming.family), fmt::join(found, ", "));
  config.width = *width;
  const Landmark last = last_layer(naming.family);
  const auto actual = output_channels(tensors, names, last.node);
  for (const auto rule :
       {config.last_channels, LastChannels::kScaled, LastChannels::kAtLeast, LastChannels::kFixed}) {
    FamilyConfig candidate = config;
    candidate.last_channels = rule;
    if (last_channels(candidate, last.channels) == actual) return candidate;
  }
  return config;
}

/// Gives the family builder its weights out of the file, and remembers which tensors it took.
class Weights {
 public:
  Weights(const TensorMap& tensors, NodeNames names) : tensors_(tensors), names_(std::move(names)) {}

  Result<Constant> operator()(const WeightRequest& request) {
    const std::string name = tensor_name(names_, request.name);
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return fail("the tensor \"{}\" is missing", name);
    taken_.insert(found->first);
    const Tensor& tensor = found->second;
    auto constant = convert(tensor, request.dims);
    if (!constant) return fail("the tensor \"{}\" {}", name, constant.error().message);
    return constant;
  }

  /// Errors: a tensor that nothing asked for, but the batch norms' counters.
  Result<void> expect_all_taken() const {
    for (const auto& [name, tensor] : tensors_)
      if (!taken_.contains(name) && !name.ends_with(".num_batches_tracked"))
        return fail(
            "the tensor \"{}\" ({}) belongs to no layer of this network; it is a variant that "
            "Linnet does not build, so convert the model to ONNX and read that",
            name, describe(tensor));
    return {};
  }

 private:
  /// PyTorch's [K, C, R, S] becomes [K, R, S, C], its depthwise [C, 1, R, S] becomes [R, S, C]; a linear
  /// layer may be stored as a 1x1 convolution.
  static Result<Constant> convert(const Tensor& tensor, const std::vector<int>& dims) {
    static constexpr std::array kConvolution = {0, 2, 3, 1};
    static constexpr std::array kDepthwise = {2, 3, 0, 1};
    std::vector<std::int64_t> expected(dims.begin(), dims.end());
    if (dims.size() == 4) expected = {dims[0], dims[3], dims[1], dims[2]};
    if (dims.size() == 3) expected = {dims[2], 1, dims[0], dims[1]};
    if (dims.size() == 2 && tensor.dims.size() == 4) expected.insert(expected.end(), {1, 1});
    if (tensor.dims != expected)
      return fail("is {}, expected [{}]", describe(tensor), fmt::join(expected, ", "));
    if (dims.size() == 4) return to_constant(tensor, kConvolution, dims);
    if (dims.size() == 3) return to_constant(tensor, kDepthwise, dims);
    return to_constant(tensor, dims);
  }

  const TensorMap& tensors_;
  NodeNames names_;
  std::unordered_set<std::string_view> taken_;
};

/// The same tensors without the prefix that DataParallel puts before every name.
TensorMap without_prefix(const TensorMap& tensors) {
  constexpr std::string_view kPrefix = "module.";
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(kPrefix)) return tensors;
    renamed.emplace(name.substr(kPrefix.size()), tensor);
  }
  return renamed;
}

Result<Graph> read(const TensorMap& tensors, const Hints& hints) {
  const auto naming = recognise(tensors);
  if (!naming) {
    std::vector<std::string> first;
    for (const auto& [name, tensor] : tensors)
      if (first.size() < 3) first.push_back("\"" + name + "\"");
    return fail(
        "{} tensors ({}…) whose names belong to no network that Linnet knows: Hugging Face's MobileNetV1 and "
        "V2, torchvision's V2 and V3, timm's V1 to V4",
        tensors.size(), fmt::join(first, ", "));
  }
  FamilyConfig config;
  if (hints.config) {
    config = *hints.config;
    if (config.family != naming->family)
      return fail("its tensors are those of {}, but its configuration says {}", to_string(naming->family),
                  to_string(config.family));
  } else {
    LINNET_TRY(config, infer_config(tensors, *naming, hints));
  }
  Weights weights(tensors, node_names(*naming, config.first_layer_is_expansion));
  LINNET_TRY(Graph graph, build(config, std::ref(weights)));
  LINNET_CHECK(weights.expect_all_taken());
  return graph;
}

}  // namespace

Hints hints_from_name(const std::filesystem::path& path) {
  return {.config = {}, .resolution = {}, .tensorflow = path.filename().string().starts_with("tf_mobilenet")};
}

Result<Graph> graph_from_state_dict(const TensorMap& tensors, std::string_view file, const Hints& hints) {
  auto graph = read(without_prefix(tensors), hints);
  if (!graph) return fail("{}: {}", file, graph.error().message);
  return graph;
}

}  // namespace linnet::formats
