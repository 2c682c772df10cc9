// Numbers too small for float's full precision, which many CPUs compute with a hundred times more slowly.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace linnet {

/// While it lives the threads of a pool, the caller's among them, read denormal numbers as zero and write
/// zero in their place. On CPUs that cannot do so it does nothing. The pool outlives it.
class DenormalsAsZero {
 public:
  explicit DenormalsAsZero(ThreadPool& pool);
  ~DenormalsAsZero();
  DenormalsAsZero(const DenormalsAsZero&) = delete;
  DenormalsAsZero& operator=(const DenormalsAsZero&) = delete;

 private:
  ThreadPool& pool_;
  std::vector<std::uint64_t> before_;  ///< a thread's control register
};

}  // namespace linnet
