// What changes the parameters of a network once their gradients are known.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "train/network.h"

namespace linnet::train {

/// Keeps spans of the network's parameters, which must outlive it. Each thread of the pool has its own part
/// of the values; no bit depends on their number.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One step downhill with the gradients as they are.
  virtual void step(float learning_rate, ThreadPool& pool) = 0;
  /// What a checkpoint must keep besides the parameters; a copy put back continues bit by bit.
  virtual std::span<float> state() = 0;
};

struct SgdOptions {
  float momentum = 0.9f;
  bool nesterov = false;
  float weight_decay = 0;  ///< added to the gradient, times the weight; only where Parameter::decays
};
/// d = gradient + decay * w; b = momentum * b + d; w -= rate * b, or with Nesterov rate * (d + momentum * b).
/// (Sutskever et al., "On the importance of initialization and momentum", 2013, in PyTorch's form)
std::unique_ptr<Optimizer> make_sgd(std::span<const Parameter> parameters, const SgdOptions& options);

struct AdamWOptions {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float weight_decay = 0.01f;  ///< shrinks weights by rate * decay, apart from the gradient
};
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.
std::unique_ptr<Optimizer> make_adamw(std::span<const Parameter> parameters, const AdamWOptions& options);

/// Euclidean norm of all gradients, summed in double, the parameters in their order.
double gradient_norm(std::span<const Parameter> parameters);
/// Scales all gradients so that their norm is at most `norm`; returns what it was.
double clip_gradients(std::span<const Parameter> parameters, double norm);

}  // namespace linnet::train
