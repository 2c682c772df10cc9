// How optimisers cut parameters, large and small ones, among threads.
#pragma once

#include <algorithm>

#include "train/optimizer.h"

namespace linnet::train {

/// Calls job(parameter, first value, number of values, first place in a state of all parameters in a row) for
/// the parts of every parameter, the same number of values a thread.
template <class Job>
void for_each_part(std::span<const Parameter> parameters, ThreadPool& pool, Job job) {
  std::int64_t total = 0;
  for (const Parameter& p : parameters) total += std::ssize(p.value);
  pool.parallel_for(total, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;
    for (const Parameter& p : parameters) {
      const std::int64_t from = std::max(begin, first);
      const std::int64_t to = std::min(end, first + std::ssize(p.value));
      if (from < to) job(p, from - first, to - from, from);
      first += std::ssize(p.value);
    }
  });
}

inline std::size_t count_values(std::span<const Parameter> parameters) {
  std::size_t total = 0;
  for (const Parameter& p : parameters) total += p.value.size();
  return total;
}

}  // namespace linnet::train
