#include "train/moving_average.h"

#include <algorithm>

namespace linnet::train {

MovingAverage::MovingAverage(Network& network, double decay) : network_(network), decay_(decay) {
  state_.insert(state_.end(), network.values().begin(), network.values().end());
  state_.insert(state_.end(), network.statistics().begin(), network.statistics().end());
  state_.push_back(0.0f);
}

void MovingAverage::update(ThreadPool& pool) {
  const double steps = double{state_.back() += 1.0f};
  const auto share = static_cast<float>(1.0 - std::min(decay_, (1.0 + steps) / (10.0 + steps)));
  const auto average = [&](float* state, std::span<const float> now) {
    pool.parallel_for(std::ssize(now), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        state[i] += share * (now[static_cast<std::size_t>(i)] - state[i]);
    });
  };
  average(state_.data(), network_.values());
  average(state_.data() + network_.values().size(), network_.statistics());
}

void MovingAverage::swap() {
  auto* state = state_.data();
  for (const std::span<float> constants : {network_.values(), network_.statistics()})
    state = std::swap_ranges(constants.begin(), constants.end(), state);
}

}  // namespace linnet::train
