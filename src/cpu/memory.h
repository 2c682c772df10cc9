// Memory that an executor allocates before it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/aligned.h"
#include "base/result.h"

namespace linnet::cpu {

/// Uninitialised bytes on a cache-line boundary; many of them on huge pages.
class Workspace {
 public:
  Workspace() = default;
  /// Errors: the machine does not have that much.
  static Result<Workspace> allocate(std::int64_t bytes);
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    std::size_t bytes;
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace linnet::cpu
