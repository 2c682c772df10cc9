#include "graph/families/layers.h"

namespace linnet::families {

int FamilyBuilder::stride(int block, int nominal) const {
  for (const BlockStride& s : config_.strides)
    if (s.block == block) return s.stride;
  return nominal;
}

int FamilyBuilder::expanded_channels(NodeId x, double ratio) const {
  FamilyConfig expanding = config_;
  expanding.width = ratio;
  return scale_channels(expanding, shape(x).c);
}

Constant FamilyBuilder::weight(const std::string& node, const char* suffix, std::vector<int> dims,
                               WeightRequest::Role role, LayerKind kind) {
  if (!status_) return {};
  auto constant = weights_({node + suffix, std::move(dims), role, kind.follows, kind.residual});
  if (constant) return *std::move(constant);
  status_ = std::unexpected(std::move(constant).error());
  return {};
}

Window FamilyBuilder::window(NodeId x, int kernel, int stride) const {
  Padding p;
  if (config_.tf_padding) {
    std::tie(p.top, p.bottom) = same_padding(shape(x).h, kernel, stride);
    std::tie(p.left, p.right) = same_padding(shape(x).w, kernel, stride);
  } else {
    p.top = p.bottom = p.left = p.right = (kernel - 1) / 2;
  }
  return {kernel, kernel, stride, stride, p};
}

NodeId FamilyBuilder::convolution(const std::string& name, NodeId x, int channels, int kernel, int stride,
                                  LayerKind kind) {
  using enum WeightRequest::Role;
  Convolution op{.window = window(x, kernel, stride)};
  op.weight = weight(name, ".weight", {channels, kernel, kernel, shape(x).c}, kWeight, kind);
  if (kind.bias) op.bias = weight(name, ".bias", {channels}, kBias, kind);
  return graph_.add(name, std::move(op), {x});
}

NodeId FamilyBuilder::depthwise(const std::string& name, NodeId x, int kernel, int stride, LayerKind kind) {
  Depthwise op{.window = window(x, kernel, stride)};
  op.weight = weight(name, ".weight", {kernel, kernel, shape(x).c}, WeightRequest::Role::kWeight, kind);
  return graph_.add(name, std::move(op), {x});
}

NodeId FamilyBuilder::linear(const std::string& name, NodeId x, int channels, LayerKind kind) {
  using enum WeightRequest::Role;
  Linear op;
  op.weight = weight(name, ".weight", {channels, shape(x).c}, kWeight, kind);
  if (kind.bias) op.bias = weight(name, ".bias", {channels}, kBias, kind);
  return graph_.add(name, std::move(op), {x});
}

NodeId FamilyBuilder::batch_norm(const std::string& name, NodeId x) {
  using enum WeightRequest::Role;
  const int c = shape(x).c;
  BatchNorm op{.epsilon = config_.batch_norm_epsilon};
  op.scale = weight(name, ".weight", {c}, kScale);
  op.offset = weight(name, ".bias", {c}, kOffset);
  op.mean = weight(name, ".running_mean", {c}, kMean);
  op.variance = weight(name, ".running_var", {c}, kVariance);
  return graph_.add(name, std::move(op), {x});
}

NodeId FamilyBuilder::activate(const std::string& name, NodeId x, Activation activation) {
  if (activation == Activation::kNone) return x;
  return graph_.add(name, Activate{activation}, {x});
}

NodeId FamilyBuilder::norm_activate(const std::string& name, NodeId x, Activation activation) {
  return activate(name + ".2", batch_norm(name + ".1", x), activation);
}

NodeId FamilyBuilder::convolution_norm(const std::string& name, NodeId x, int channels, int kernel,
                                       int stride, LayerKind kind) {
  return norm_activate(name, convolution(name + ".0", x, channels, kernel, stride, kind), kind.follows);
}

NodeId FamilyBuilder::depthwise_norm(const std::string& name, NodeId x, int kernel, int stride,
                                     LayerKind kind) {
  return norm_activate(name, depthwise(name + ".0", x, kernel, stride, kind), kind.follows);
}

Result<Graph> FamilyBuilder::finish(NodeId scores) && {
  LINNET_CHECK(std::move(status_));
  return std::move(graph_).finish(scores);
}

}  // namespace linnet::families
