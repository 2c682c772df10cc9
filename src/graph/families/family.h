// The network families: untrained graphs of MobileNetV1 to V4, and the skeletons that readers fill with
// trained weights.
//
// A FamilyConfig says everything that tells one member of a family from another: its size (width, resolution,
// classes, strides), which a person writes on the command line, and its dialect, in which the libraries that
// publish weights differ and which a reader takes from its file. docs/families.md lists the dialects.
//
// Nodes are named as torchvision names its modules (V1, V2, V3) or as timm does (V4); a tensor of a state
// dict is then node name + ".weight", ".bias", ".running_mean" or ".running_var". Dropout and flatten do
// nothing at inference and get no node.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace linnet {

enum class Family {
  kMobileNetV1,            ///< Howard et al., arXiv 1704.04861
  kMobileNetV2,            ///< Sandler et al., arXiv 1801.04381
  kMobileNetV3Large,       ///< Howard et al., arXiv 1905.02244, table 1
  kMobileNetV3Small,       ///< the same, table 2
  kMobileNetV4ConvSmall,   ///< Qin et al., arXiv 2404.10518
  kMobileNetV4ConvMedium,  ///< the same
};

/// Another stride for one block: torchvision's block number for V1 to V3 (features.N), counted from 1; in V4
/// the blocks.S.I of timm counted through from 1.
struct BlockStride {
  int block = 1;
  int stride = 1;
  bool operator==(const BlockStride&) const = default;
};

/// How a nominal number of channels, times `width`, becomes a whole number.
enum class ChannelRule {
  /// The nearest multiple of `divisor`, ties upwards, at least `min_depth`; the next one where that would
  /// lose more than a tenth (torchvision, timm, TensorFlow's V2 and V3: `_make_divisible`).
  kDivisible,
  /// The same after rounding to an integer, ties to even (Hugging Face's V2).
  kRoundedDivisible,
  /// Rounded down, at least `min_depth` (V1 in TensorFlow and Hugging Face; `divisor` is not used).
  kTruncated,
};

/// How many channels the layer before the classifier has: 1280 in V2, V3-Large and V4, 1024 in V3-Small.
enum class LastChannels {
  kScaled,   ///< as every layer (torchvision's V3; Hugging Face's V2 with finegrained_output = false)
  kAtLeast,  ///< scaled above width 1, the paper's number below (V2)
  kFixed,    ///< the paper's number at every width (timm's V3 and V4)
};

struct FamilyConfig {
  Family family = Family::kMobileNetV2;

  // The size.
  double width = 1.0;      ///< multiplies every channel count; (0, 4]
  int resolution = 224;    ///< height and width of the input; need not be divisible by 32
  int classes = 1000;      ///< outputs
  std::uint64_t seed = 1;  ///< of the untrained weights
  int stem_stride = 2;     ///< of the first convolution: 1 or 2
  /// Blocks whose stride is not the paper's: 1 or 2 each, no block twice.
  std::vector<BlockStride> strides = {};

  // The dialect: dialect_config() fills it, a reader corrects it.
  Dialect dialect = Dialect::kUnknown;  ///< goes into the graph, which takes its preprocessing from it
  bool tf_padding = false;              ///< TensorFlow's SAME instead of (kernel - 1) / 2 on every side
  float batch_norm_epsilon = 1e-5f;     ///< Hugging Face: layer_norm_eps
  Activation activation = Activation::kRelu6;  ///< of V1, V2, V4; V3 has its own, a block
  ChannelRule channel_rule = ChannelRule::kDivisible;
  int divisor = 8;    ///< Hugging Face: depth_divisible_by
  int min_depth = 8;  ///< no scaled layer is narrower
  LastChannels last_channels = LastChannels::kAtLeast;
  double full_stem_below = 0.0;  ///< below this width the stem keeps the paper's channels (timm's V3 and V4)
  // Of V2 alone:
  double expand_ratio = 6.0;             ///< of blocks 2 to 17
  bool first_layer_is_expansion = true;  ///< block 1 has no expansion of its own, else one of ratio 1
  bool first_block_residual = true;      ///< block 1 adds its input where the shapes allow (width <= 0.25)
  // Of V3 alone:
  /// An expanded layer is its ratio times the scaled input of its block and the last convolution the scaled
  /// 960 or 576 (timm), instead of the scaled expansion and six times the scaled block before (torchvision).
  bool timm_expansion = false;

  bool operator==(const FamilyConfig&) const = default;
};

/// "mobilenet_v2" and so on, in the order of Family.
std::span<const std::string_view> family_names();
std::string_view to_string(Family family);

/// Width 1, 224 pixels, 1000 classes as that library has them. Where it does not have the family this is
/// default_config() under its name.
FamilyConfig dialect_config(Family family, Dialect dialect);

/// What a bare name means: torchvision's V2 and V3, timm's V4, and V1 with Hugging Face's widths and epsilon
/// but symmetric padding.
FamilyConfig default_config(Family family);

/// Whether `model` is a family, with or without keys: "mobilenet_v2", "mobilenet_v2:width=0.35". It may still
/// have bad keys.
bool names_family(std::string_view model);

/// "mobilenet_v2:width=0.35,resolution=144,classes=10,seed=7,stem_stride=1,strides=14:1;2:1"; every key may
/// be absent. Errors (kUsage): an unknown family, an unknown or repeated key, a value that is not a number or
/// out of range; the text lists what is legal.
Result<FamilyConfig> parse_family(std::string_view model);

/// What parse_family() reads back: the family and those keys that are not default. Says nothing of the
/// dialect.
std::string to_string(const FamilyConfig& config);

/// The number of blocks that `strides` may name: blocks 1 to block_count().
int block_count(Family family);

/// `channels` of the paper at the config's width, by its rule.
int scale_channels(const FamilyConfig& config, int channels);
/// Channels of the layer before the classifier, by the config's rule; `channels` is the paper's number.
int last_channels(const FamilyConfig& config, int channels);

/// A layer's channels in the paper, and in a file.
struct ChannelPair {
  int nominal;
  int actual;
};
/// The smallest width at which scale_channels() gives every `actual`, among the multiples of 0.05, else of
/// 0.01, else of 0.001; nothing where none does. `config.width` is not looked at.
std::optional<double> find_width(FamilyConfig config, std::span<const ChannelPair> channels);

/// What a family builder asks for: one constant of one node.
struct WeightRequest {
  enum class Role { kWeight, kBias, kScale, kOffset, kMean, kVariance };
  std::string name;       ///< as a state dict has it: "features.0.0.weight", "features.0.1.running_mean"
  std::vector<int> dims;  ///< in Linnet's order: [K, R, S, C], depthwise [R, S, C], linear [K, C], else [C]
  Role role;
  // What untrained weights are scaled by; for a batch norm nothing.
  Activation follows = Activation::kNone;  ///< the activation between this layer and the next
  bool residual = false;                   ///< the layer's output is added to the input of its block
};
/// Answers with a constant of exactly these dims, or with the error that ends the build.
using WeightSource = std::function<Result<Constant>(const WeightRequest&)>;

/// The graph with untrained weights, the same on every machine for one config: uniform with He's variance
/// ("Delving deep into rectifiers", 2015), batch norms near but not at the identity. Errors: kUsage where the
/// config is out of range, kFailed where a layer would be absurdly large.
Result<Graph> build(const FamilyConfig& config);

/// The same graph with the weights that `source` gives, asked for in the order of the nodes: what readers
/// use.
Result<Graph> build(const FamilyConfig& config, const WeightSource& source);

}  // namespace linnet
