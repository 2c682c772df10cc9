// `mpirun linnet train`: this process and the others of its job.
#pragma once

#include <memory>

#include "train/mpi/join.h"

namespace linnet::cli {

class TrainJob {
 public:
  /// Joins the others, where mpirun started this process. Errors: as train::join_job().
  Result<void> join();

  /// nullptr where this process is alone.
  train::Collective* collective() { return job_.get(); }
  int size() const { return launch_ ? launch_->size : 1; }
  /// This process prints, and writes the files.
  bool first() const { return !launch_ || launch_->rank == 0; }
  /// What every line that another rank prints begins with, "rank 1: "; empty for the first.
  std::string prefix() const;
  /// This process's share of the machine's cores, or fewer where mpirun binds it to fewer.
  int default_threads() const;
  int share_of_cores() const;

  /// Everything went well: from now on this process is alone.
  void leave();
  /// Where there are others: says what went wrong and ends them all, this process too.
  void give_up(const Error& error);

 private:
  std::optional<train::Launch> launch_ = train::launched_by_mpi();
  std::unique_ptr<train::Job> job_;
};

}  // namespace linnet::cli
