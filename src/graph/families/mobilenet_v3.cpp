// MobileNetV3: inverted residuals with squeeze-and-excite and hard-swish (arXiv 1905.02244, tables 1 and 2),
// named as torchvision names them.
#include <array>

#include <fmt/format.h>

#include "graph/families/architectures.h"
#include "graph/families/layers.h"

namespace linnet::families {
namespace {

constexpr Activation kRelu = Activation::kRelu;
constexpr Activation kHardSwish = Activation::kHardSwish;

struct Block {
  int kernel;
  int expanded;
  int channels;
  bool squeeze;
  Activation activation;
  int stride;
};

constexpr std::array<Block, kV3LargeBlocks> kLarge = {{
    {3, 16, 16, false, kRelu, 1},
    {3, 64, 24, false, kRelu, 2},
    {3, 72, 24, false, kRelu, 1},
    {5, 72, 40, true, kRelu, 2},
    {5, 120, 40, true, kRelu, 1},
    {5, 120, 40, true, kRelu, 1},
    {3, 240, 80, false, kHardSwish, 2},
    {3, 200, 80, false, kHardSwish, 1},
    {3, 184, 80, false, kHardSwish, 1},
    {3, 184, 80, false, kHardSwish, 1},
    {3, 480, 112, true, kHardSwish, 1},
    {3, 672, 112, true, kHardSwish, 1},
    {5, 672, 160, true, kHardSwish, 2},
    {5, 960, 160, true, kHardSwish, 1},
    {5, 960, 160, true, kHardSwish, 1},
}};

constexpr std::array<Block, kV3SmallBlocks> kSmall = {{
    {3, 16, 16, true, kRelu, 2},
    {3, 72, 24, false, kRelu, 2},
    {3, 88, 24, false, kRelu, 1},
    {5, 96, 40, true, kHardSwish, 2},
    {5, 240, 40, true, kHardSwish, 1},
    {5, 240, 40, true, kHardSwish, 1},
    {5, 120, 48, true, kHardSwish, 1},
    {5, 144, 48, true, kHardSwish, 1},
    {5, 288, 96, true, kHardSwish, 2},
    {5, 576, 96, true, kHardSwish, 1},
    {5, 576, 96, true, kHardSwish, 1},
}};

/// Section 5.3 of the paper: a gate in [0, 1] for each channel, from the channel means. The squeezed layer
/// has a quarter of the channels, rounded to a multiple of 8 whatever the dialect.
NodeId squeeze_excite(FamilyBuilder& b, const std::string& name, NodeId x) {
  const int channels = b.shape(x).c;
  const int squeezed = scale_channels(FamilyConfig{}, channels / 4);
  NodeId gate = b.pool(name + ".avgpool", x);
  gate = b.convolution(name + ".fc1", gate, squeezed, 1, 1, {.follows = kRelu, .bias = true});
  gate = b.activate(name + ".activation", gate, kRelu);
  gate =
      b.convolution(name + ".fc2", gate, channels, 1, 1, {.follows = Activation::kHardSigmoid, .bias = true});
  gate = b.activate(name + ".scale_activation", gate, Activation::kHardSigmoid);
  return b.multiply(name + ".multiply", x, gate);
}

/// `in_nominal` is the paper's number of input channels.
NodeId inverted_residual(FamilyBuilder& b, const std::string& name, NodeId x, const Block& block,
                         int in_nominal, int stride) {
  const int in_channels = b.shape(x).c;
  const int channels = b.channels(block.channels);
  const bool residual = stride == 1 && in_channels == channels;
  const bool expands = block.expanded != in_nominal;
  int expanded = b.channels(block.expanded);
  if (b.config().timm_expansion)
    expanded = b.expanded_channels(x, static_cast<double>(block.expanded) / in_nominal);
  int part = 0;
  const auto next = [&] { return fmt::format("{}.block.{}", name, part++); };
  NodeId y = x;
  if (expands) y = b.convolution_norm(next(), y, expanded, 1, 1, {.follows = block.activation});
  y = b.depthwise_norm(next(), y, block.kernel, stride, {.follows = block.activation});
  if (block.squeeze) y = squeeze_excite(b, next(), y);
  y = b.convolution_norm(next(), y, channels, 1, 1, {.residual = residual});
  return residual ? b.add(name + ".add", x, y) : y;
}

}  // namespace

Result<Graph> mobilenet_v3(const FamilyConfig& config, const WeightSource& weights) {
  const bool large = config.family == Family::kMobileNetV3Large;
  const auto blocks = large ? std::span<const Block>(kLarge) : std::span<const Block>(kSmall);
  FamilyBuilder b(config, weights);
  NodeId x = b.convolution_norm("features.0", b.input(), b.stem_channels(16), 3, config.stem_stride,
                                {.follows = kHardSwish});
  int number = 0;
  int in_nominal = 16;
  for (const Block& block : blocks) {
    ++number;
    x = inverted_residual(b, fmt::format("features.{}", number), x, block, in_nominal,
                          b.stride(number, block.stride));
    in_nominal = block.channels;
  }
  const int widest = config.timm_expansion ? b.channels(6 * in_nominal) : 6 * b.shape(x).c;
  x = b.convolution_norm(fmt::format("features.{}", number + 1), x, widest, 1, 1, {.follows = kHardSwish});
  x = b.pool("avgpool", x);
  x = b.linear("classifier.0", x, last_channels(config, large ? 1280 : 1024),
               {.follows = kHardSwish, .bias = true});
  x = b.activate("classifier.1", x, kHardSwish);
  x = b.linear("classifier.3", x, config.classes, {.bias = true});
  return std::move(b).finish(x);
}

}  // namespace linnet::families
