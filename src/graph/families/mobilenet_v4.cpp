// MobileNetV4-Conv-Small and -Medium: universal inverted bottlenecks (arXiv 2404.10518, section 3 and the
// block tables), named as timm names them.
#include <array>

#include <fmt/format.h>

#include "graph/families/architectures.h"
#include "graph/families/layers.h"

namespace linnet::families {
namespace {

enum class Kind {
  kConvolution,  ///< one convolution of `kernel`, batch norm, activation
  kFused,        ///< an expanding convolution of `kernel` that strides, then a linear projection
  kUniversal,    ///< depthwise `start`, expansion, depthwise `middle`, linear projection; 0: without it
};

struct Block {
  Kind kind;
  int start;   // kernel of kConvolution and kFused, or of the first depthwise
  int middle;  // kernel of the second depthwise
  int stride;
  double ratio;
  int channels;
};

constexpr Block convolution(int kernel, int stride, int channels) {
  return {Kind::kConvolution, kernel, 0, stride, 1.0, channels};
}
constexpr Block fused(int kernel, int stride, double ratio, int channels) {
  return {Kind::kFused, kernel, 0, stride, ratio, channels};
}
constexpr Block universal(int start, int middle, int stride, double ratio, int channels) {
  return {Kind::kUniversal, start, middle, stride, ratio, channels};
}

/// A stage of timm's numbering: it begins where the map shrinks.
using Stage = std::span<const Block>;

constexpr std::array kSmall0 = {convolution(3, 2, 32), convolution(1, 1, 32)};
constexpr std::array kSmall1 = {convolution(3, 2, 96), convolution(1, 1, 64)};
constexpr std::array kSmall2 = {
    universal(5, 5, 2, 3, 96), universal(0, 3, 1, 2, 96), universal(0, 3, 1, 2, 96),
    universal(0, 3, 1, 2, 96), universal(0, 3, 1, 2, 96), universal(3, 0, 1, 4, 96),
};
constexpr std::array kSmall3 = {
    universal(3, 3, 2, 6, 128), universal(5, 5, 1, 4, 128), universal(0, 5, 1, 4, 128),
    universal(0, 5, 1, 3, 128), universal(0, 3, 1, 4, 128), universal(0, 3, 1, 4, 128),
};
constexpr std::array<Stage, 4> kSmall = {kSmall0, kSmall1, kSmall2, kSmall3};

constexpr std::array kMedium0 = {fused(3, 2, 4, 48)};
constexpr std::array kMedium1 = {universal(3, 5, 2, 4, 80), universal(3, 3, 1, 2, 80)};
constexpr std::array kMedium2 = {
    universal(3, 5, 2, 6, 160), universal(3, 3, 1, 4, 160), universal(3, 3, 1, 4, 160),
    universal(3, 5, 1, 4, 160), universal(3, 3, 1, 4, 160), universal(3, 0, 1, 4, 160),
    universal(0, 0, 1, 2, 160), universal(3, 0, 1, 4, 160),
};
constexpr std::array kMedium3 = {
    universal(5, 5, 2, 6, 256), universal(5, 5, 1, 4, 256), universal(3, 5, 1, 4, 256),
    universal(3, 5, 1, 4, 256), universal(0, 0, 1, 4, 256), universal(3, 0, 1, 4, 256),
    universal(3, 5, 1, 2, 256), universal(5, 5, 1, 4, 256), universal(0, 0, 1, 4, 256),
    universal(0, 0, 1, 4, 256), universal(5, 0, 1, 2, 256),
};
constexpr std::array<Stage, 4> kMedium = {kMedium0, kMedium1, kMedium2, kMedium3};

static_assert(kSmall0.size() + kSmall1.size() + kSmall2.size() + kSmall3.size() == kV4SmallBlocks);
static_assert(kMedium0.size() + kMedium1.size() + kMedium2.size() + kMedium3.size() == kV4MediumBlocks);

class Builder : public FamilyBuilder {
 public:
  using FamilyBuilder::FamilyBuilder;

  NodeId block(const std::string& name, NodeId x, const Block& spec, int stride) {
    const bool residual =
        spec.kind != Kind::kConvolution && stride == 1 && shape(x).c == channels(spec.channels);
    NodeId y = x;
    switch (spec.kind) {
      case Kind::kConvolution:
        y = convolution(name + ".conv", x, channels(spec.channels), spec.start, stride, active());
        y = norm(name + ".bn1", y, config().activation);
        break;
      case Kind::kFused:
        y = convolution(name + ".conv_exp", x, expanded_channels(x, spec.ratio), spec.start, stride,
                        active());
        y = norm(name + ".bn1", y, config().activation);
        y = convolution(name + ".conv_pwl", y, channels(spec.channels), 1, 1, {.residual = residual});
        y = norm(name + ".bn2", y, Activation::kNone);
        break;
      case Kind::kUniversal: y = universal_bottleneck(name, x, spec, stride, residual); break;
    }
    return residual ? add(name + ".add", x, y) : y;
  }

  NodeId norm(const std::string& name, NodeId x, Activation activation) {
    return activate(name + ".act", batch_norm(name, x), activation);
  }

 private:
  LayerKind active() const { return {.follows = config().activation}; }

  NodeId universal_bottleneck(const std::string& name, NodeId x, const Block& spec, int stride,
                              bool residual) {
    // The middle depthwise strides where there is one: later, so that the first sees all pixels.
    const int start_stride = spec.middle != 0 ? 1 : stride;
    NodeId y = x;
    if (spec.start != 0) {
      y = depthwise(name + ".dw_start.conv", y, spec.start, start_stride, {});
      y = norm(name + ".dw_start.bn", y, Activation::kNone);
    }
    y = convolution(name + ".pw_exp.conv", y, expanded_channels(x, spec.ratio), 1, 1, active());
    y = norm(name + ".pw_exp.bn", y, config().activation);
    if (spec.middle != 0) {
      y = depthwise(name + ".dw_mid.conv", y, spec.middle, stride, active());
      y = norm(name + ".dw_mid.bn", y, config().activation);
    }
    y = convolution(name + ".pw_proj.conv", y, channels(spec.channels), 1, 1, {.residual = residual});
    return norm(name + ".pw_proj.bn", y, Activation::kNone);
  }
};

}  // namespace

Result<Graph> mobilenet_v4(const FamilyConfig& config, const WeightSource& weights) {
  const auto& stages = config.family == Family::kMobileNetV4ConvSmall ? kSmall : kMedium;
  Builder b(config, weights);
  NodeId x = b.convolution("conv_stem", b.input(), b.stem_channels(32), 3, config.stem_stride,
                           {.follows = config.activation});
  x = b.norm("bn1", x, config.activation);
  int number = 0;
  for (std::size_t s = 0; s < stages.size(); ++s)
    for (std::size_t i = 0; i < stages[s].size(); ++i) {
      const Block& spec = stages[s][i];
      const int stride = b.stride(++number, spec.stride);
      const std::string name = fmt::format("blocks.{}.{}", s, i);
      if (stride != 1 && spec.kind == Kind::kUniversal && spec.start == 0 && spec.middle == 0)
        return usage("{}: strides={}:{}: {} has no depthwise layer that could stride",
                     to_string(config.family), number, stride, name);
      x = b.block(name, x, spec, stride);
    }
  x = b.block("blocks.4.0", x, convolution(1, 1, 960), 1);
  x = b.pool("global_pool.pool", x);
  x = b.convolution("conv_head", x, last_channels(config, 1280), 1, 1, {.follows = config.activation});
  x = b.norm("norm_head", x, config.activation);
  x = b.linear("classifier", x, config.classes, {.bias = true});
  return std::move(b).finish(x);
}

}  // namespace linnet::families
