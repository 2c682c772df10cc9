// Gradients summed over the ranks of a job while the backward pass still runs.
//
// The arena of all gradients is cut into buckets, parts of about a megabyte: large enough that a message's
// latency is little beside its bytes, small enough that the first is under way early. A bucket's sum begins
// when its last gradient is final; the backward pass goes from the arena's end to its beginning.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "train/collective.h"

namespace linnet::train {

/// Not thread-safe.
class GradientBuckets {
 public:
  /// `parts` are the parameters' gradients, in the order in which they lie in `arena`; both stay where they
  /// are. What lies before the first is not summed: frozen layers. `job` outlives the buckets.
  GradientBuckets(std::span<float> arena, std::span<const std::span<float>> parts, Collective& job,
                  std::size_t bytes = std::size_t{1} << 20);

  /// A part is final: once a pass at most.
  void done(std::span<const float> part);
  /// Returns when every bucket with a part that was done is summed: the others' gradients stay what they
  /// were.
  void finish();

 private:
  struct Bucket {
    std::span<float> values;
    std::size_t parts = 0;  ///< that it holds
    std::size_t done = 0;   ///< of them, in this pass
  };

  Collective& job_;
  std::vector<Bucket> buckets_;  ///< in the arena's order
};

}  // namespace linnet::train
