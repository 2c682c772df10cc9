// The exponential moving average of a network's weights and running statistics, often better than the last
// ones (Polyak and Juditsky, 1992).
#pragma once

#include "train/network.h"

namespace linnet::train {

class MovingAverage {
 public:
  /// Starts at the network's constants as they are; the network must outlive it. `decay` is in [0, 1).
  MovingAverage(Network& network, double decay);

  /// After an optimiser's step. In the first steps the average is over all so far: decay is at most
  /// (1 + steps) / (10 + steps).
  void update(ThreadPool& pool);
  /// Exchanges the network's constants with the average, for an evaluation; once more brings them back.
  void swap();
  /// What a checkpoint must keep: the average, and how many steps it has seen.
  std::span<float> state() { return state_; }

 private:
  Network& network_;
  double decay_;
  AlignedVector<float> state_;
};

}  // namespace linnet::train
