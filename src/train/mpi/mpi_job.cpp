// The module linnet_mpi.so: a job whose ranks are the processes that mpirun started.
//
// Sums are MPI's non-blocking ones. Most MPI libraries move a message only while somebody calls them, so a
// thread looks after the sums that are under way while the caller computes. It sleeps between two looks, for
// it shares the caller's cores; so does the caller where it has to wait for long.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#define OMPI_SKIP_MPICXX 1  // C's interface alone: C++'s wants a library of its own
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include "train/mpi/module.h"

namespace linnet::train {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kSpin{200};  ///< that a caller waits without sleeping
constexpr std::chrono::microseconds kSleep{30};

/// MPI is called by one thread at a time, the one that holds the mutex.
class MpiJob final : public Job {
 public:
  MpiJob() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    if (provided < MPI_THREAD_SERIALIZED) {
      std::fputs("linnet: this MPI library cannot be called by several threads; install another\n", stderr);
      abort(1);
    }
    progress_ = std::thread([this] { look_after_sums(); });
  }

  ~MpiJob() override {
    if (!left_) abort(1);
  }

  void leave() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    begun_.notify_one();
    progress_.join();
    MPI_Finalize();
    left_ = true;
  }

  [[noreturn]] void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);  // where MPI_Abort returns after all
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void gather(std::span<const double> own, std::span<double> all) override {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<int>(own.size());
    MPI_Request request;
    MPI_Iallgather(own.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, MPI_COMM_WORLD, &request);
    wait(std::span(&request, 1));
  }

  void start_sum(std::span<float> values) override {
    {
      const std::lock_guard lock(mutex_);
      MPI_Iallreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_FLOAT, MPI_SUM,
                     MPI_COMM_WORLD, &sums_.emplace_back());
    }
    begun_.notify_one();
  }

  void finish_sums() override {
    const std::lock_guard lock(mutex_);
    wait(sums_);
    sums_.clear();
  }

  void broadcast(std::span<float> values) override {
    const std::lock_guard lock(mutex_);
    MPI_Request request;
    MPI_Ibcast(values.data(), static_cast<int>(values.size()), MPI_FLOAT, 0, MPI_COMM_WORLD, &request);
    wait(std::span(&request, 1));
  }

 private:
  static bool done(std::span<MPI_Request> requests) {
    int all = 0;
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &all, MPI_STATUSES_IGNORE);
    return all != 0;
  }

  static void wait(std::span<MPI_Request> requests) {
    const Clock::time_point sleepy = Clock::now() + kSpin;
    while (!done(requests)) {
      if (Clock::now() < sleepy)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(kSleep);
    }
  }

  void look_after_sums() {
    std::unique_lock lock(mutex_);
    for (;;) {
      begun_.wait(lock, [&] { return stopping_ || !sums_.empty(); });
      if (stopping_) return;
      if (done(sums_)) {
        sums_.clear();
        continue;
      }
      lock.unlock();
      std::this_thread::sleep_for(kSleep);
      lock.lock();
    }
  }

  int rank_ = 0;
  int size_ = 1;
  std::mutex mutex_;  ///< of MPI and what follows
  std::condition_variable begun_;
  std::vector<MPI_Request> sums_;  ///< under way
  bool stopping_ = false;
  bool left_ = false;
  std::thread progress_;
};

}  // namespace
}  // namespace linnet::train

linnet::train::Job* linnet_join_job() { return new linnet::train::MpiJob; }
