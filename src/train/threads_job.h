// For tests: a job whose ranks are threads of this process.
#pragma once

#include <barrier>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "train/collective.h"

namespace linnet::train {

class ThreadsJob {
 public:
  explicit ThreadsJob(int ranks) : given_(static_cast<std::size_t>(ranks)), meeting_(ranks) {
    for (int r = 0; r < ranks; ++r) ranks_.emplace_back(*this, r);
  }

  /// Calls run(job) on every rank, each a thread.
  template <class Run>
  void run(Run run) {
    std::vector<std::thread> threads;
    for (Rank& rank : ranks_) threads.emplace_back([&] { run(static_cast<Collective&>(rank)); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  class Rank final : public Collective {
   public:
    Rank(ThreadsJob& job, int rank) : job_(job), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(job_.ranks_.size()); }

    void gather(std::span<const double> own, std::span<double> all) override {
      ASSERT_EQ(all.size(), own.size() * job_.ranks_.size());
      exchange(own.data(), [&](const auto& given) {
        for (auto out = all.begin(); const void* const values : given)
          out = std::copy_n(static_cast<const double*>(values), own.size(), out);
      });
    }

    void start_sum(std::span<float> values) override {
      begun_.push_back({values, {values.begin(), values.end()}});
    }
    void finish_sums() override {
      for (Begun& sum : begun_) {
        EXPECT_TRUE(std::ranges::equal(sum.values, sum.then)) << "values were changed while they were summed";
        exchange(sum.then.data(), [&](const auto& given) {
          std::ranges::fill(sum.values, 0.0f);
          for (const void* const values : given)
            for (std::size_t i = 0; i < sum.values.size(); ++i)
              sum.values[i] += static_cast<const float*>(values)[i];
        });
      }
      begun_.clear();
    }

    void broadcast(std::span<float> values) override {
      exchange(values.data(), [&](const auto& given) {
        if (rank_ > 0) std::copy_n(static_cast<const float*>(given[0]), values.size(), values.begin());
      });
    }

   private:
    /// Calls use() with what every rank gives, which stays where it is meanwhile.
    template <class Use>
    void exchange(const void* own, Use use) {
      job_.given_[static_cast<std::size_t>(rank_)] = own;
      job_.meeting_.arrive_and_wait();
      use(job_.given_);
      job_.meeting_.arrive_and_wait();
    }

    struct Begun {
      std::span<float> values;
      std::vector<float> then;
    };
    ThreadsJob& job_;
    int rank_;
    std::vector<Begun> begun_;
  };

  std::vector<const void*> given_;  ///< by each rank
  std::barrier<> meeting_;
  std::deque<Rank> ranks_;
};

}  // namespace linnet::train
