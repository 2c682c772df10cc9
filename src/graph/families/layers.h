// What the family builders share: layers that ask for their weights and know their dialect's padding.
#pragma once

#include <string>
#include <vector>

#include "graph/builder.h"
#include "graph/families/family.h"

namespace linnet::families {

/// What a layer is, besides its shape.
struct LayerKind {
  Activation follows = Activation::kNone;  ///< the activation after the layer and its batch norm
  bool bias = false;
  bool residual = false;  ///< the last of a branch that is added to the input of its block
};

class FamilyBuilder {
 public:
  FamilyBuilder(const FamilyConfig& config, const WeightSource& weights)
      : config_(config),
        weights_(weights),
        graph_(std::string(to_string(config.family)), {config.resolution, config.resolution, 3}) {}

  const FamilyConfig& config() const { return config_; }
  NodeId input() const { return graph_.input(); }
  const Shape& shape(NodeId id) const { return graph_.shape(id); }
  /// The stride of a block: the config's, where it names the block, else the paper's.
  int stride(int block, int nominal) const;
  int channels(int nominal) const { return scale_channels(config_, nominal); }
  int stem_channels(int nominal) const {
    return config_.width < config_.full_stem_below ? nominal : channels(nominal);
  }
  /// `ratio` times the channels of `x`, rounded by the dialect's rule.
  int expanded_channels(NodeId x, double ratio) const;

  /// Square kernels, padded as the dialect does.
  NodeId convolution(const std::string& name, NodeId x, int channels, int kernel, int stride, LayerKind kind);
  NodeId depthwise(const std::string& name, NodeId x, int kernel, int stride, LayerKind kind);
  NodeId linear(const std::string& name, NodeId x, int channels, LayerKind kind);
  NodeId batch_norm(const std::string& name, NodeId x);
  NodeId activate(const std::string& name, NodeId x, Activation activation);
  NodeId add(const std::string& name, NodeId a, NodeId b) { return graph_.add(name, Add{}, {a, b}); }
  NodeId multiply(const std::string& name, NodeId x, NodeId gate) {
    return graph_.add(name, Multiply{}, {x, gate});
  }
  NodeId pool(const std::string& name, NodeId x) { return graph_.add(name, GlobalAveragePool{}, {x}); }

  /// torchvision's Conv2dNormActivation: name.0 convolution, name.1 batch norm, name.2 activation, if any.
  NodeId convolution_norm(const std::string& name, NodeId x, int channels, int kernel, int stride,
                          LayerKind kind);
  NodeId depthwise_norm(const std::string& name, NodeId x, int kernel, int stride, LayerKind kind);

  Result<Graph> finish(NodeId scores) &&;

 private:
  Constant weight(const std::string& node, const char* suffix, std::vector<int> dims,
                  WeightRequest::Role role, LayerKind kind = {});
  Window window(NodeId x, int kernel, int stride) const;
  NodeId norm_activate(const std::string& name, NodeId x, Activation activation);

  const FamilyConfig& config_;
  const WeightSource& weights_;
  GraphBuilder graph_;
  Result<void> status_;
};

}  // namespace linnet::families
