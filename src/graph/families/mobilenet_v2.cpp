// MobileNetV2: inverted residuals with linear bottlenecks (arXiv 1801.04381, table 2), named as torchvision
// names them.
#include <array>

#include <fmt/format.h>

#include "graph/families/architectures.h"
#include "graph/families/layers.h"

namespace linnet::families {
namespace {

NodeId inverted_residual(FamilyBuilder& b, int block, NodeId x, int channels, int stride) {
  const FamilyConfig& config = b.config();
  const std::string name = fmt::format("features.{}", block);
  const int in_channels = b.shape(x).c;
  const bool residual = stride == 1 && in_channels == channels && (block > 1 || config.first_block_residual);
  int part = 0;
  NodeId y = x;
  if (block > 1 || !config.first_layer_is_expansion) {
    const int expanded = block > 1 ? b.expanded_channels(x, config.expand_ratio) : in_channels;
    y = b.convolution_norm(fmt::format("{}.conv.{}", name, part++), y, expanded, 1, 1,
                           {.follows = config.activation});
  }
  y = b.depthwise_norm(fmt::format("{}.conv.{}", name, part++), y, 3, stride, {.follows = config.activation});
  y = b.convolution(fmt::format("{}.conv.{}", name, part++), y, channels, 1, 1, {.residual = residual});
  y = b.batch_norm(fmt::format("{}.conv.{}", name, part++), y);
  return residual ? b.add(name + ".add", x, y) : y;
}

}  // namespace

Result<Graph> mobilenet_v2(const FamilyConfig& config, const WeightSource& weights) {
  struct Stage {
    int channels;
    int blocks;
    int stride;  // of its first block
  };
  static constexpr std::array<Stage, 7> kStages = {
      {{16, 1, 1}, {24, 2, 2}, {32, 3, 2}, {64, 4, 2}, {96, 3, 1}, {160, 3, 2}, {320, 1, 1}}};
  FamilyBuilder b(config, weights);
  NodeId x = b.convolution_norm("features.0", b.input(), b.stem_channels(32), 3, config.stem_stride,
                                {.follows = config.activation});
  int block = 0;
  for (const Stage& stage : kStages)
    for (int i = 0; i < stage.blocks; ++i) {
      ++block;
      x = inverted_residual(b, block, x, b.channels(stage.channels),
                            b.stride(block, i == 0 ? stage.stride : 1));
    }
  x = b.convolution_norm(fmt::format("features.{}", kV2Blocks + 1), x, last_channels(config, 1280), 1, 1,
                         {.follows = config.activation});
  x = b.pool("avgpool", x);
  x = b.linear("classifier.1", x, config.classes, {.bias = true});
  return std::move(b).finish(x);
}

}  // namespace linnet::families
