// What the programs here train, and how their steps are timed: one network from one seed's weights, on one
// batch of random images, so that engines which compute the same give the same losses.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned.h"
#include "base/result.h"
#include "graph/graph.h"

namespace linnet::figures {

/// SGD's numbers: Nesterov momentum; the decay is of weights, neither of biases nor of batch norms.
inline constexpr float kRate = 0.01f;
inline constexpr float kMomentum = 0.9f;
inline constexpr float kWeightDecay = 5e-4f;

struct Workload {
  Graph graph;  ///< with weights to start from
  int batch = 128;
  int threads = 2;
  double seconds = 5;           ///< how long steps are timed
  AlignedVector<float> images;  ///< [batch, H, W, C]
  std::vector<float> targets;   ///< [batch, classes], one 1 a row
  int classes() const { return graph.output_shape().c; }
};

/// From arguments MODEL [BATCH [THREADS [SECONDS]]], each with a default. Errors: no such family (kUsage).
Result<Workload> parse_workload(std::span<char*> arguments);

/// One engine's network.
class Trainee {
 public:
  virtual ~Trainee() = default;
  virtual double forward() = 0;  ///< gives the mean loss
  virtual void backward() = 0;
  virtual void update() = 0;
};

/// Medians of the timed steps, in seconds.
struct StepTimes {
  double forward = 0;
  double backward = 0;
  double update = 0;
  int steps = 0;
  std::vector<double> losses;  ///< of all steps, the untimed too
  double total() const { return forward + backward + update; }
};

/// Takes steps for so many seconds, at least one after the untimed ones, and calls `before(i)` before step i.
StepTimes time_steps(
    Trainee& trainee, double seconds, const std::function<void(int)>& before = [](int) {});
inline constexpr int kUntimedSteps = 2;

/// "NAME: N images/s", the parts of a step, and the first two losses and the last.
void print(std::string_view name, const Workload& workload, const StepTimes& times);

}  // namespace linnet::figures
