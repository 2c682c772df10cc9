#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>

#include <gtest/gtest.h>

namespace linnet {
namespace {

TEST(thread_pool, every_thread_is_called_once_a_job) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.threads(), threads);
    std::vector<int> calls(static_cast<std::size_t>(threads), 0);
    for (int job = 0; job < 200; ++job)
      pool.run([&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
    for (const int n : calls) EXPECT_EQ(n, 200) << threads << " threads";
  }
}

TEST(thread_pool, parallel_for_covers_every_item_once_whatever_their_number) {
  for (const int threads : {1, 2, 5})
    for (const std::int64_t n : {0, 1, 2, 4, 5, 6, 1000}) {
      ThreadPool pool(threads);
      std::vector<int> seen(static_cast<std::size_t>(n), 0);
      pool.parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_LT(begin, end);
        for (; begin < end; ++begin) ++seen[static_cast<std::size_t>(begin)];
      });
      EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), n) << threads << " threads, " << n << " items";
    }
}

TEST(thread_pool, jobs_see_what_jobs_before_them_wrote) {
  ThreadPool pool(4);
  std::vector<std::int64_t> values(64, 1);
  for (int job = 0; job < 50; ++job) {
    std::vector<std::int64_t> sums(4, 0);
    pool.run([&](int thread) {
      sums[static_cast<std::size_t>(thread)] =
          std::accumulate(values.begin(), values.end(), std::int64_t{0}) % 997;
    });
    pool.parallel_for(64, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin)
        values[static_cast<std::size_t>(begin)] += sums[static_cast<std::size_t>(begin % 4)];
    });
    for (const std::int64_t sum : sums) EXPECT_EQ(sum, sums[0]);
  }
}

TEST(thread_pool, behind_a_barrier_every_thread_sees_what_all_wrote_before_it) {
  for (const int threads : {1, 2, 3, 4, 5, 8}) {
    ThreadPool pool(threads);
    std::vector<int> written(static_cast<std::size_t>(threads), 0);
    std::vector<int> wrong(written.size(), 0);
    for (int job = 0; job < 5; ++job)
      pool.run_together([&](Worker& worker) {
        const auto mine = static_cast<std::size_t>(worker.thread());
        for (int step = 1; step <= 50; ++step) {
          written[mine] = 100 * job + step;
          worker.barrier();
          for (const int value : written) wrong[mine] += value != 100 * job + step;
          worker.barrier();
        }
      });
    EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), 0), 0) << threads << " threads";
  }
}

TEST(thread_pool, threads_that_wait_long_at_a_barrier_sleep_and_wake_up) {
  ThreadPool pool(3);
  int value = 0;
  std::vector<int> seen(3, 0);
  for (int late = 0; late < 3; ++late)
    pool.run_together([&](Worker& worker) {
      if (worker.thread() == late) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++value;
      }
      worker.barrier();
      seen[static_cast<std::size_t>(worker.thread())] += value;
    });
  EXPECT_EQ(seen, std::vector<int>(3, 1 + 2 + 3));
}

TEST(thread_pool, barriers_stay_cheap_with_more_threads_than_cores) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  for (const int threads : {2, 4, 8, 2 * cores}) {
    ThreadPool pool(threads);
    constexpr int kBarriers = 500;
    double best = 1e9;
    for (int job = 0; job < 9; ++job) {
      const auto before = std::chrono::steady_clock::now();
      pool.run_together([](Worker& worker) {
        for (int i = 0; i < kBarriers; ++i) worker.barrier();
      });
      const std::chrono::duration<double, std::micro> all = std::chrono::steady_clock::now() - before;
      best = std::min(best, all.count() / kBarriers);
    }
    std::printf("%d threads on %d cores: %.2f microseconds a barrier\n", threads, cores, best);
    // Spinning for whole time slices of the scheduler would take milliseconds.
    EXPECT_LT(best, 500) << threads << " threads";
  }
}

TEST(thread_pool, workers_that_fell_asleep_wake_up) {
  ThreadPool pool(3);
  std::atomic<int> calls{0};
  for (int job = 0; job < 3; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.run([&](int) { ++calls; });
  }
  EXPECT_EQ(calls, 9);
}

}  // namespace
}  // namespace linnet
