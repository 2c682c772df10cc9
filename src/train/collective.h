// What processes that train together do together: each is a rank of one job, and has its part of every batch.
//
// Goals: train/ knows no message-passing library (train/mpi/ does, the only room); what every rank gets is
// the same to the bit, so that equal weights stay equal. All ranks must make the same calls in the same
// order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace linnet::train {

/// Not thread-safe. A rank that dies ends the job: no call returns an error.
class Collective {
 public:
  virtual ~Collective() = default;
  virtual int rank() const = 0;  ///< 0 … size() - 1
  virtual int size() const = 0;

  /// all: size() x own.size(), every rank's `own` in the order of the ranks. Nobody returns before everybody
  /// came.
  virtual void gather(std::span<const double> own, std::span<double> all) = 0;

  /// Begins to replace `values` by their sum over the ranks and returns. They must not be touched before
  /// finish_sums(); equally many on every rank.
  virtual void start_sum(std::span<float> values) = 0;
  /// Returns when all sums that were begun are there.
  virtual void finish_sums() = 0;

  /// Rank 0's values, to everybody.
  virtual void broadcast(std::span<float> values) = 0;
};

/// The only rank of its job: everything is done already.
class Alone final : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void gather(std::span<const double> own, std::span<double> all) override {
    std::ranges::copy(own, all.begin());
  }
  void start_sum(std::span<float>) override {}
  void finish_sums() override {}
  void broadcast(std::span<float>) override {}
};

/// Replaces `values` by their sum over the ranks, taken in the order of the ranks.
void sum(Collective& job, std::span<double> values);

/// Refuses ranks that would not compute the same bits, which `terms` tell apart: every rank gets an error.
Result<void> agree(Collective& job, const std::string& terms);

/// Joins the ranks' moments of a channel each: means and sums of squared deviations of `count` values become
/// those of all ranks' values, whose count is returned. (Chan, Golub and LeVeque, "Updating formulae and a
/// pairwise algorithm for computing sample variances", 1979)
double join_moments(Collective& job, double count, std::span<double> means, std::span<double> squares);

}  // namespace linnet::train
