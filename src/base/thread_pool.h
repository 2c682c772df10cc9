// A few threads that take one piece of work at a time, together.
//
// Goals: waking them costs less than the shortest layer of a network; the same cut of the work on every run.
// Non-goals: queues, futures, work stealing. Workers spin for some microseconds after a job, since the next
// layer comes at once, and then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace linnet {

/// Part `index` of n items cut into `parts`, as even as they can be: [begin, end).
struct Range {
  std::int64_t begin;
  std::int64_t end;
};
constexpr Range split(std::int64_t n, int index, int parts) {
  return {n * index / parts, n * (index + 1) / parts};
}

/// Not thread-safe: one caller at a time, which is one of the threads. A job must not call its own pool.
class ThreadPool {
 public:
  /// threads >= 1, the calling one included: a pool of one starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls job(thread) once on every thread, thread = 0 … threads() - 1, and returns when all are done. What
  /// the caller wrote before is visible to the jobs, and what they wrote is visible to the caller. `job` must
  /// not throw.
  template <class Job>
  void run(Job&& job) {
    using Function = std::remove_reference_t<Job>;
    if (workers_.empty()) return job(0);
    run_on_all([](void* context, int thread) { (*static_cast<Function*>(context))(thread); },
               const_cast<void*>(static_cast<const void*>(&job)));
  }

  /// Calls job(begin, end) on every thread that has something to do, for its part of n items (split()).
  template <class Job>
  void parallel_for(std::int64_t n, Job&& job) {
    const int parts = threads();
    if (n == 1) return job(std::int64_t{0}, n);
    run([&](int thread) {
      const Range range = split(n, thread, parts);
      if (range.begin < range.end) job(range.begin, range.end);
    });
  }

 private:
  using Call = void (*)(void* context, int thread);
  void run_on_all(Call call, void* context);
  void work(int thread);

  // Each on a cache line of its own: workers watch one while they count down the other.
  alignas(64) std::atomic<std::uint32_t> job_{0};  ///< rises by one a job
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
  alignas(64) Call call_ = nullptr;
  void* context_ = nullptr;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace linnet
