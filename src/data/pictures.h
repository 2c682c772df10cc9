// The pictures of a data set, each decoded once as long as memory lasts.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "data/dataset.h"

namespace linnet::data {

/// Thread-safe. What comes out depends on the files alone, not on what is remembered.
class Pictures {
 public:
  /// A picture whose shorter edge is longer than `largest_edge` is shrunk to it (bilinear); 0: never. Up to
  /// `bytes` of decoded pictures are kept. `set` outlives this.
  Pictures(const Dataset& set, int largest_edge, std::size_t bytes);

  /// Errors: those of load(). A picture that failed once fails again without being read.
  Result<std::shared_ptr<const image::Image>> get(std::size_t item);

 private:
  const Dataset& set_;
  const int largest_edge_;
  const std::size_t bytes_;
  std::mutex mutex_;
  std::size_t kept_bytes_ = 0;
  std::vector<std::shared_ptr<const image::Image>> kept_;  ///< by item; null where it is not kept
  std::vector<std::unique_ptr<const Error>> bad_;          ///< by item
};

}  // namespace linnet::data
