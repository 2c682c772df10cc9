// Training by several processes, which mpirun starts: how one of them joins the others.
//
// MPI is a module of its own, linnet_mpi.so, loaded when there is a job to join and not before: a program
// that mpirun did not start neither needs an MPI library nor pays for it.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "train/collective.h"

namespace linnet::train {

/// What mpirun told this process by its environment.
struct Launch {
  int rank = 0;
  int size = 1;        ///< processes of the job
  int local_size = 1;  ///< of them, those on this machine
};

/// None where mpirun did not start this process, or started it alone. Open MPI's variables, and MPICH's.
std::optional<Launch> launched_by_mpi();

/// A job of several processes. Destroyed without leave(), it ends them all: who returns early because of an
/// error must not leave the others waiting.
class Job : public Collective {
 public:
  /// The last call, when everything went well: waits for the others to call it.
  virtual void leave() = 0;
  /// Ends every process of the job, this one included, with exit code `code`.
  [[noreturn]] virtual void abort(int code) = 0;
};

/// Loads linnet_mpi.so, which lies beside the program or in its installation's lib/linnet, and joins; once a
/// process, where launched_by_mpi(). Errors: there is no module, or it cannot be loaded.
Result<std::unique_ptr<Job>> join_job();

}  // namespace linnet::train
