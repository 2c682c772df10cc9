// How layers cut their work among threads, and what a layer around one kernel is.
#pragma once

#include <algorithm>

#include "base/aligned.h"
#include "cpu/layer.h"

namespace linnet::cpu {

/// Fewer values than this are not worth waking a thread for.
inline constexpr std::int64_t kWorthSharing = 8192;

/// Values in one row.
inline std::ptrdiff_t row_size(const Shape& shape) { return std::ptrdiff_t{shape.w} * shape.c; }

/// A layer around one kernel.
template <class Arguments, class Base = Layer>
class KernelLayer : public Base {
 public:
  explicit KernelLayer(const Kernel<Arguments>& kernel) : run_(kernel.run) {
    this->kernel_ = std::string(kernel.isa) + "::" + kernel.name + kernel.type;
  }

 protected:
  void (*run_)(const Arguments&);
};

/// Cuts `rows` x `columns` of work into one rectangle a thread, so that the largest is as small as can be.
struct Grid {
  int row_parts;
  int column_parts;
};

inline Grid choose_grid(std::int64_t rows, std::int64_t columns, int threads) {
  Grid best = {1, 1};
  std::int64_t best_cost = -1;
  for (int column_parts = 1; column_parts <= threads; ++column_parts) {
    const int row_parts = threads / column_parts;
    // Each rectangle loads its weights once a few rows: as if it had some rows more.
    constexpr std::int64_t kLoadingRows = 4;
    const std::int64_t cost =
        ((rows + row_parts - 1) / row_parts + kLoadingRows) * ((columns + column_parts - 1) / column_parts);
    if (best_cost >= 0 && cost >= best_cost) continue;
    best_cost = cost;
    best = {row_parts, column_parts};
  }
  return best;
}

/// Calls work(rows, columns) for every rectangle of the grid, each on a thread.
template <class Work>
void for_each_rectangle(ThreadPool& pool, std::int64_t rows, std::int64_t columns, Work work) {
  const Grid grid = choose_grid(rows, columns, pool.threads());
  pool.run([&](int thread) {
    if (thread >= grid.row_parts * grid.column_parts) return;
    const Range row = split(rows, thread / grid.column_parts, grid.row_parts);
    const Range column = split(columns, thread % grid.column_parts, grid.column_parts);
    if (row.begin < row.end && column.begin < column.end) work(thread, row, column);
  });
}

/// Calls work(begin, end) for parts of n values, on the threads where that is worth it. Parts begin on
/// multiples of as many values T as a cache line holds.
template <class T, class Work>
void for_each_part(ThreadPool& pool, std::int64_t n, Work work) {
  if (n < kWorthSharing) return work(std::int64_t{0}, n);
  constexpr std::int64_t kLine = kCacheLine / sizeof(T);
  pool.parallel_for((n + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
    work(begin * kLine, std::min(end * kLine, n));
  });
}

}  // namespace linnet::cpu
