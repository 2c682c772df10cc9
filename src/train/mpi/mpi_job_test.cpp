// Run by mpirun: does every rank get what it should? "3 of 3 ranks passed" is the last line then.
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include <fmt/core.h>

#include "train/mpi/module.h"

namespace {

using namespace linnet::train;

/// What rank r gives as its value i.
float value_of(int r, std::size_t i) {
  return 1.0f / static_cast<float>(3 + r) + static_cast<float>(i % 1000) * 0.001f;
}

/// The values' bits, folded into one number that a double holds.
double digest(const std::vector<float>& values) {
  std::uint64_t hash = 1469598103934665603u;
  for (const float value : values) hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 1099511628211u;
  return static_cast<double>(hash >> 12);
}

class Check {
 public:
  explicit Check(Collective& job) : job_(job), all_(static_cast<std::size_t>(job.size())) {}

  void that(bool holds, const char* what) {
    if (holds) return;
    passed_ = false;
    fmt::print(stderr, "rank {} of {}: {}\n", job_.rank(), job_.size(), what);
  }
  void same_everywhere(double value, const char* what) {
    job_.gather(std::span(&value, 1), all_);
    for (const double other : all_) that(other == value, what);
  }
  int ranks_that_passed() {
    const double own = passed_ ? 1 : 0;
    job_.gather(std::span(&own, 1), all_);
    int count = 0;
    for (const double one : all_) count += one == 1 ? 1 : 0;
    return count;
  }

 private:
  Collective& job_;
  std::vector<double> all_;
  bool passed_ = true;
};

void gather(Collective& job, Check& check) {
  for (const std::size_t size : {1u, 7u, 3000u}) {
    std::vector<double> own(size), all(size * static_cast<std::size_t>(job.size()));
    for (std::size_t i = 0; i < size; ++i) own[i] = double{value_of(job.rank(), i)};
    job.gather(own, all);
    for (std::size_t i = 0; i < all.size(); ++i)
      check.that(all[i] == double{value_of(static_cast<int>(i / size), i % size)},
                 "gather: a value is wrong");
  }
}

/// Sums that are under way at once, with gathers between them, as a network's.
void sum_and_gather(Collective& job, Check& check) {
  std::vector<std::vector<float>> sums;
  for (const std::size_t size : {5u, 70'001u, 300'000u, 1u, 1'000'000u}) sums.emplace_back(size);
  for (int round = 0; round < 3; ++round) {
    for (auto& sum : sums) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = value_of(job.rank(), i);
      job.start_sum(sum);
      check.same_everywhere(static_cast<double>(sum.size()), "gather: another gather's values");
    }
    job.finish_sums();
    for (const auto& sum : sums) {
      bool right = true;
      for (std::size_t i = 0; i < sum.size(); ++i) {
        double expected = 0;
        for (int r = 0; r < job.size(); ++r) expected += double{value_of(r, i)};
        right = right && std::abs(double{sum[i]} - expected) <= 1e-6 * expected;
      }
      check.that(right, "sum: a value is wrong");
      check.same_everywhere(digest(sum), "sum: not the same bits on every rank");
    }
  }
}

void broadcast(Collective& job, Check& check) {
  std::vector<float> values(100'000, static_cast<float>(job.rank() + 5));
  job.broadcast(values);
  for (const float value : values) check.that(value == 5, "broadcast: not rank 0's value");
}

}  // namespace

int main() {
  const std::unique_ptr<Job> job(linnet_join_job());
  const auto launch = launched_by_mpi();
  Check check(*job);
  check.that(launch && launch->rank == job->rank() && launch->size == job->size(),
             "mpirun's environment says another rank or size");
  gather(*job, check);
  sum_and_gather(*job, check);
  broadcast(*job, check);
  const int passed = check.ranks_that_passed();
  if (job->rank() == 0) fmt::print("{} of {} ranks passed\n", passed, job->size());
  job->leave();
  return passed == job->size() ? 0 : 1;
}
