// A network that trains: forward and backward passes of a Graph over batches of images.
//
// Goals: a step limited by the machine's multiply-adds, not by its memory (value.h says how); the same bits
// from the same number of threads. Each thread has its share of the images; sums over the batch are taken
// thread by thread, in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/precision.h"
#include "graph/graph.h"
#include "train/collective.h"

namespace linnet::train {

/// Something that an optimiser changes. The spans are parts of Network::values() and gradients().
struct Parameter {
  std::string name;  ///< as a state dict has it: "features.0.0.weight"
  std::span<float> value;
  std::span<float> gradient;
  bool decays;  ///< weight decay applies: neither bias nor batch norm
};

/// What a layer, with the batch norm and activation behind it, took since reset_times(), in seconds.
struct LayerTime {
  std::string name;
  double forward = 0;
  double backward = 0;
};

struct NetworkOptions {
  cpu::Isa isa = cpu::available_isas().back();
  /// kFloat32, or kBf16 for mixed precision: parameters, their gradients, statistics, images and scores are
  /// float32 all the same, what layers write and its gradients are stored as bfloat16, and where the CPU
  /// multiplies bfloat16, matrix products have operands of it and sums of float32. (Kalamkar et al., "A Study
  /// of BFLOAT16 for Deep Learning Training", 2019)
  cpu::Precision precision = cpu::Precision::kFloat32;
  bool multiplies_bf16 = true;  ///< where the CPU can
  float momentum = 0.1f;        ///< the batch's share in batch norms' running statistics
  float dropout = 0;            ///< before the last linear layer; [0, 1)
  /// So many convolution, depthwise and linear layers, the first ones, and all nodes before the next such
  /// layer are left as they are: their parameters are not among parameters(), their batch norms take and keep
  /// the running statistics, and the backward pass ends where they do.
  int frozen_layers = 0;
  bool frozen_norms = false;  ///< all batch norms take and keep the running statistics; they still train
  std::uint64_t seed = 1;     ///< of dropout
  /// Whose ranks have a part of every batch each, equally large; outlives the network. nullptr: there is but
  /// one.
  Collective* job = nullptr;
  bool sync_norms = false;  ///< batch norms take the statistics of all ranks' images, not of their own
  /// Quantisation-aware: an int8 form of the graph (quantize::to_int8()), whose scales training starts from.
  /// Every tensor that int8 stores is then as it is when it was stored, in training and out of it; scales are
  /// parameters, zero points are among the statistics. Weights are quantized as they will be exported,
  /// folded.
  std::optional<Graph> int8 = {};
};

/// Not thread-safe: one step at a time.
class Network {
 public:
  /// `graph` with its batch norms as they are, not folded. `batch` is the most images of a step; `pool` must
  /// outlive the network. Errors: another precision, an int8 graph, a softmax that is not the last node,
  /// nothing left to train, too little memory, NetworkOptions::int8 of another graph or in mixed precision.
  static Result<Network> make(const Graph& graph, int batch, ThreadPool& pool,
                              const NetworkOptions& options = {});
  Network(Network&&) noexcept;
  Network& operator=(Network&&) noexcept;
  ~Network();

  /// images: n x H x W x C, 1 <= n <= batch, which stay where they are until backward(). Returns the scores,
  /// n x classes, valid until the next pass. In training batch norms take the batch's statistics and follow
  /// them with their running ones; else they take the running ones. Errors: sizes that do not fit.
  Result<std::span<const float>> forward(std::span<const float> images, bool training);
  /// The gradients of all parameters from that of the scores of the last forward(…, true); with a job, their
  /// sums over its ranks, the same bits on each. Errors: sizes that do not fit, or there was no such pass.
  Result<void> backward(std::span<const float> d_scores);

  /// Gives every batch norm, frozen ones too, the statistics that these images have, and such a scale and
  /// offset that it computes what it did: for norms whose running statistics mean nothing, because they were
  /// folded into the weights once. Takes as many images as forward(); their scores stay as they were. Errors:
  /// sizes that do not fit.
  Result<void> restate_norms(std::span<const float> images);
  /// From now on batch norms keep to their running statistics in training as well, as if they were folded;
  /// their scale and offset are trained on. A bias before one is not. (Krishnamoorthi, "Quantizing deep
  /// convolutional networks for efficient inference", 2018, section 3.2.2, the end of the delay)
  void freeze_statistics(bool frozen = true);

  std::span<const Parameter> parameters() const;
  /// All parameters one after the other, with a few zeros between that stay zero.
  std::span<float> values();
  std::span<float> gradients();
  /// Running means and variances, likewise.
  std::span<float> statistics();
  /// The graph with the constants as they are now.
  Graph to_graph() const;
  /// The int8 graph that this network, made with NetworkOptions::int8, stands for as it is now: what it is
  /// evaluated and exported as. Errors: values that are not finite, another network.
  Result<Graph> to_int8() const;

  /// In quantisation-aware training: what the last forward() stored for node `name` of the int8 graph,
  /// n x H x W x C, while its images are there. Errors: the network has no grid of that name.
  Result<AlignedVector<float>> stored_values(std::string_view name) const;

  /// Training passes so far, which dropout draws by: a run that goes on says how many there were.
  void set_steps(std::uint64_t steps);

  /// Bytes of all that was allocated for values, gradients and scratch.
  std::int64_t bytes() const;
  std::vector<LayerTime> times() const;
  void reset_times();

 private:
  struct Impl;
  explicit Network(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace linnet::train
