#include "base/thread_pool.h"

#include <bit>

namespace linnet {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Some 50 to 200 microseconds: longer than the gap between two steps and than the parts of a step differ.
constexpr int kSpins = 4000;
// Where there are more threads than cores: what is on its way from another core, no more.
constexpr int kSpinsOversubscribed = 20;

int choose_spins(int threads) {
  const unsigned cores = std::thread::hardware_concurrency();  // 0: the system does not say
  return cores != 0 && static_cast<unsigned>(threads) > cores ? kSpinsOversubscribed : kSpins;
}

}  // namespace

void Signal::raise(std::uint32_t to) {
  if (value_.exchange(to, std::memory_order_seq_cst) & kAsleep) value_.notify_all();
}

void Signal::wait_for(std::uint32_t target, int spins) {
  const auto come = [target](std::uint32_t value) { return static_cast<std::int32_t>(value - target) >= 0; };
  for (int i = 0; i < spins; ++i) {
    if (come(value_.load(std::memory_order_acquire))) return;
    relax();
  }
  for (;;) {
    std::uint32_t value = value_.load(std::memory_order_acquire);
    if (come(value)) return;
    // Whoever raises it sees this bit, or this fails since it was raised.
    if (value_.compare_exchange_strong(value, value | kAsleep, std::memory_order_acquire))
      value_.wait(value | kAsleep, std::memory_order_acquire);
  }
}

void Worker::barrier() {
  if (threads_ == 1) return;
  barriers_ += 2;
  pool_->barrier(thread_, barriers_);
}

ThreadPool::ThreadPool(int threads)
    : rounds_(std::bit_width(static_cast<unsigned>(threads - 1))),
      spins_(choose_spins(threads)),
      arrivals_(std::make_unique<Arrival[]>(static_cast<std::size_t>(threads * rounds_))),
      caller_(this, 0, threads) {
  for (int thread = 1; thread < threads; ++thread)
    workers_.emplace_back([this, thread, threads] { work(Worker(this, thread, threads)); });
}

ThreadPool::~ThreadPool() {
  job_.call = nullptr;
  job_.start.raise(job_.number += 2);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_on_all(Call call, void* context) {
  if (workers_.empty()) return call(context, caller_);
  job_.call = call;
  job_.context = context;
  job_.start.raise(job_.number += 2);
  call(context, caller_);
  caller_.barrier();
}

void ThreadPool::work(Worker worker) {
  for (std::uint32_t number = 2;; number += 2) {
    job_.start.wait_for(number, spins_);
    if (!job_.call) return;
    job_.call(job_.context, worker);
    worker.barrier();
  }
}

/// Dissemination (Hensgen, Finkel and Manber, "Two algorithms for barrier synchronization", 1988): in each
/// round a thread tells the one `distance` behind it that it has come, and twice as many before it then have.
/// Each signal has one writer and one reader, so two threads wait for one cache line to travel once.
void ThreadPool::barrier(int thread, std::uint32_t number) {
  const int n = threads();
  for (int round = 0, distance = 1; round < rounds_; ++round, distance *= 2) {
    const auto at = [&](int t) { return static_cast<std::size_t>(t * rounds_ + round); };
    arrivals_[at((thread + distance) % n)].signal.raise(number);
    arrivals_[at(thread)].signal.wait_for(number, spins_);
  }
}

}  // namespace linnet
