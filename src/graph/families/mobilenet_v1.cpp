// MobileNetV1: depthwise separable convolutions (arXiv 1704.04861, table 1), named in the style of
// torchvision's V2.
#include <array>

#include <fmt/format.h>

#include "graph/families/architectures.h"
#include "graph/families/layers.h"

namespace linnet::families {

Result<Graph> mobilenet_v1(const FamilyConfig& config, const WeightSource& weights) {
  struct Block {
    int channels;
    int stride;
  };
  static constexpr std::array<Block, kV1Blocks> kBlocks = {{{64, 1},
                                                            {128, 2},
                                                            {128, 1},
                                                            {256, 2},
                                                            {256, 1},
                                                            {512, 2},
                                                            {512, 1},
                                                            {512, 1},
                                                            {512, 1},
                                                            {512, 1},
                                                            {512, 1},
                                                            {1024, 2},
                                                            {1024, 1}}};
  FamilyBuilder b(config, weights);
  NodeId x = b.convolution_norm("features.0", b.input(), b.stem_channels(32), 3, config.stem_stride,
                                {.follows = config.activation});
  for (int block = 1; block <= kV1Blocks; ++block) {
    const auto [channels, stride] = kBlocks[static_cast<std::size_t>(block - 1)];
    const std::string name = fmt::format("features.{}.conv", block);
    x = b.depthwise_norm(name + ".0", x, 3, b.stride(block, stride), {.follows = config.activation});
    x = b.convolution_norm(name + ".1", x, b.channels(channels), 1, 1, {.follows = config.activation});
  }
  x = b.pool("avgpool", x);
  x = b.linear("classifier.1", x, config.classes, {.bias = true});
  return std::move(b).finish(x);
}

}  // namespace linnet::families
