// A few threads that work on one job at a time, together: they wake once a job, and meet at barriers between
// its steps.
//
// Goals: a barrier costs less than the shortest layer of a network; the same cut of the work on every run.
// Non-goals: queues, futures, work stealing. Threads that wait spin for some microseconds, since the next
// step comes at once, and then sleep; where they are more than the cores they sleep soon, since whom they
// wait for may need their core.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
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

/// A number that one thread raises and others wait for.
class Signal {
 public:
  /// What the caller wrote before is visible to whoever waited. `to` is even, and later than all before it.
  void raise(std::uint32_t to);
  /// Returns once `target` was raised, or a later number (they may wrap around).
  void wait_for(std::uint32_t target, int spins);

 private:
  static constexpr std::uint32_t kAsleep = 1;  ///< in the lowest bit: somebody sleeps until it changes
  std::atomic<std::uint32_t> value_{0};
};

class ThreadPool;

/// One of the threads of a job, which all of them run from its beginning to its end.
class Worker {
 public:
  /// The only thread of its job.
  Worker() = default;

  int thread() const { return thread_; }  ///< 0 … threads() - 1; 0 is whoever called the pool
  int threads() const { return threads_; }

  /// Returns when every thread of the job has come here: each sees what the others wrote before. All of them
  /// must come here equally often.
  void barrier();

  /// Calls job(begin, end) for this thread's part of n items (split()), if there is any.
  template <class Job>
  void parallel_for(std::int64_t n, Job&& job) const {
    const Range range = split(n, thread_, threads_);
    if (range.begin < range.end) job(range.begin, range.end);
  }

 private:
  friend class ThreadPool;
  Worker(ThreadPool* pool, int thread, int threads) : pool_(pool), thread_(thread), threads_(threads) {}
  ThreadPool* pool_ = nullptr;
  int thread_ = 0;
  int threads_ = 1;
  std::uint32_t barriers_ = 0;  ///< twice as many as there were
};

/// Not thread-safe: one caller at a time, which is one of the threads. A job must not call its own pool.
class ThreadPool {
 public:
  /// threads >= 1, the calling one included: a pool of one starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return caller_.threads(); }

  /// Calls job(worker) once on every thread and returns when all are done. What the caller wrote before is
  /// visible to the jobs, and what they wrote is visible to the caller. `job` must not throw.
  template <class Job>
  void run_together(Job&& job) {
    using Function = std::remove_reference_t<Job>;
    run_on_all([](void* context, Worker& worker) { (*static_cast<Function*>(context))(worker); },
               const_cast<void*>(static_cast<const void*>(&job)));
  }

  /// The same with job(thread), thread = 0 … threads() - 1.
  template <class Job>
  void run(Job&& job) {
    run_together([&](Worker& worker) { job(worker.thread()); });
  }

  /// Calls job(begin, end) on every thread that has something to do, for its part of n items (split()).
  template <class Job>
  void parallel_for(std::int64_t n, Job&& job) {
    if (n == 1) return job(std::int64_t{0}, n);
    run_together([&](Worker& worker) { worker.parallel_for(n, job); });
  }

 private:
  friend class Worker;
  using Call = void (*)(void* context, Worker& worker);
  void run_on_all(Call call, void* context);
  void work(Worker worker);
  void barrier(int thread, std::uint32_t number);

  /// Two cache lines, since some CPUs fetch them in pairs.
  static constexpr std::size_t kOwnLines = 128;
  /// What workers wait for, and in the same cache line all that they need then.
  struct alignas(kOwnLines) {
    Signal start;
    std::uint32_t number = 0;  ///< twice as many as there were
    Call call = nullptr;       ///< nullptr: the end
    void* context = nullptr;
  } job_;
  struct alignas(kOwnLines) Arrival {
    Signal signal;
  };
  int rounds_;                           ///< of a barrier
  int spins_;                            ///< before a thread sleeps
  std::unique_ptr<Arrival[]> arrivals_;  ///< [thread][round]: written by the thread that this one waits for
  Worker caller_;
  std::vector<std::thread> workers_;
};

}  // namespace linnet
