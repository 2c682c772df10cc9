// The textbook twin of Network, in double, with plain loops: what tests compare it with. Knows nothing of
// blocks, threads, fused passes or stored activations.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/graph.h"

namespace linnet::train {

/// Random relative errors of up to so much: what rounding does to a network, so that a bound for it can be
/// computed from the data.
struct Noise {
  double products = 0;  ///< of every multiply-add
  double stored = 0;    ///< of every layer's output and its gradient
};

class Reference {
 public:
  explicit Reference(const Graph& graph, const Noise& noise = {}, std::uint64_t seed = 1);

  /// Constants by their name in a state dict; change one to see what the loss does.
  std::map<std::string, std::vector<double>> constants;
  std::map<std::string, std::vector<double>> gradients;

  /// A tensor's grid in quantisation-aware training, and what its scale is called among the gradients.
  struct Grid {
    std::string name;
    double scale = 1;
    double low = -128;  ///< stored values less the zero point
    double high = 127;
    bool clip = false;  ///< the largest value is learned, else the scale
    double gradient_scale = 1;
  };
  /// By node: of what its output is before its own activation, of its output, of its weights a channel.
  std::map<NodeId, Grid> before_grids, output_grids;
  std::map<NodeId, std::vector<Grid>> weight_grids;
  /// By a grid's name: what another network stored. loss() takes it in place of its own rounding, which a
  /// last bit may turn; how far from the nearest whole number it ever is, limits aside, is `apart`, 0.5 at
  /// best.
  std::map<std::string, std::vector<double>> stored;
  double apart = 0;
  /// Batch norms take their running statistics.
  bool frozen = false;

  /// Mean softmax cross-entropy of a batch in training: batch norms take the batch's statistics.
  double loss(std::span<const float> images, std::span<const float> targets);
  /// Of the last loss(): the gradients of all constants but batch norms' running statistics.
  void backward();
  /// Of the last loss().
  const std::vector<double>& scores() const { return values_[static_cast<std::size_t>(graph_.output)]; }
  /// Mean and unbiased variance of a batch norm's input in the last loss(), a channel.
  std::pair<std::vector<double>, std::vector<double>> statistics(const std::string& norm) const;

 private:
  struct Moments {
    double mean = 0;
    double variance = 0;  ///< biased
  };
  double off(double x, double noise) {
    return noise == 0 ? x : x * (1 + noise * double{random_.uniform(-1, 1)});
  }
  double rounded(double x) { return off(x, noise_.products); }
  Moments moments(NodeId x, int channel) const;
  Moments norm_moments(NodeId id, std::size_t channel) const;
  void forward(NodeId id);
  void backward(NodeId id);
  std::vector<double>& gradient_of(NodeId id, const char* suffix);
  const std::vector<double>* constant_of(NodeId id, const char* suffix) const;
  void through_activation(NodeId id, Activation activation);
  // reference_quantized.cpp:
  void onto_grid(const std::map<NodeId, Grid>& grids, NodeId id, std::vector<double>& values,
                 std::vector<std::vector<double>>& kept);
  void through_grid(const std::map<NodeId, Grid>& grids, NodeId id,
                    const std::vector<std::vector<double>>& kept);
  std::vector<double> weights_on_grid(NodeId id) const;
  void through_weight_grids(NodeId id);

  Graph graph_;
  Noise noise_;
  Random random_;
  std::size_t n_ = 0;
  std::vector<double> targets_;
  std::vector<std::vector<double>> values_;  ///< a node's output, [n, H, W, C]
  std::vector<std::vector<double>> before_;  ///< the same, before the node's own activation
  std::vector<std::vector<double>> d_values_;
  // The same two before they were put on their grids:
  std::vector<std::vector<double>> off_grid_values_, off_grid_before_;
};

}  // namespace linnet::train
