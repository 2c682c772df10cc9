#include "train_job.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include "api/classifier.h"
#include "print.h"

namespace linnet::cli {

Result<void> TrainJob::join() {
  if (!launch_) return {};
  LINNET_TRY(job_, train::join_job());
  return {};
}

std::string TrainJob::prefix() const { return first() ? "" : fmt::format("rank {}: ", launch_->rank); }

int TrainJob::share_of_cores() const {
  const auto cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  return std::max(1, cores / (launch_ ? launch_->local_size : 1));
}

int TrainJob::default_threads() const { return std::min(share_of_cores(), linnet::default_threads()); }

void TrainJob::leave() {
  if (job_) job_->leave();
  job_.reset();
}

void TrainJob::give_up(const Error& error) {
  if (!launch_) return;
  // What went wrong everywhere, the first says; then the others are ended before they say it again.
  if (!first()) std::this_thread::sleep_for(std::chrono::seconds(2));
  note(prefix() + error.message);
  const int code = error.kind == Error::Kind::kUsage ? 2 : 1;
  if (job_) job_->abort(code);
  std::exit(code);  // mpirun ends the others when one fails
}

}  // namespace linnet::cli
