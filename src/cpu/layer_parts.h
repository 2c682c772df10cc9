// How layers cut their work among threads, and what a layer around one kernel is.
#pragma once

#include <algorithm>

#include "base/aligned.h"
#include "cpu/layer.h"

namespace linnet::cpu {

/// Fewer values than this are not worth a barrier.
inline constexpr std::int64_t kWorthSharing = 8192;

/// The same for a matrix product of so many pixels, output channels and products each.
inline bool is_worth_sharing(std::int64_t pixels, std::int64_t k, std::int64_t depth) {
  constexpr std::int64_t kMacs = 64 * 1024;
  return pixels * k * depth >= kMacs;
}

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

/// Cuts `rows` x `columns` of work into one rectangle a thread.
struct Grid {
  int row_parts;
  int column_parts;
};

/// What decides how a matrix product is cut: rows are pixels (or rows of the image), columns panels of output
/// channels.
struct GridCosts {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_pixels;
  std::int64_t row_bytes;     ///< that a row reads and writes
  std::int64_t column_bytes;  ///< of weights that a column reads
};

/// The grid whose busiest thread is done first. A thread that has all columns of some rows finds its inputs
/// in its own cache, since the layers before and behind are cut by rows as well; one that has some columns of
/// all rows fetches what other threads wrote, line by line from their caches, but reads fewer weights.
inline Grid choose_grid(const GridCosts& costs, int threads) {
  Grid best = {1, 1};
  double best_cost = -1;
  for (int column_parts = 1; column_parts <= threads; ++column_parts) {
    const int row_parts = threads / column_parts;
    const auto rows = static_cast<double>((costs.rows + row_parts - 1) / row_parts);
    const auto columns = static_cast<double>((costs.columns + column_parts - 1) / column_parts);
    // In the time that a byte of weights takes from the L3 cache: another core's byte takes kForeign of them,
    // and a byte of weights is multiplied with kPixels pixels meanwhile.
    constexpr double kForeign = 4;
    constexpr double kPixels = 9;
    const double weights = columns * static_cast<double>(costs.column_bytes);
    const double foreign = rows * static_cast<double>(costs.row_bytes) * (1 - 1.0 / column_parts);
    const double cost =
        weights * (1 + rows * static_cast<double>(costs.row_pixels) / kPixels) + kForeign * foreign;
    if (best_cost >= 0 && cost >= best_cost) continue;
    best_cost = cost;
    best = {row_parts, column_parts};
  }
  return best;
}

/// Calls work(thread, rows, columns) for this thread's rectangle of the grid.
template <class Work>
void in_rectangle(const Worker& worker, const GridCosts& costs, Work work) {
  const Grid grid = choose_grid(costs, worker.threads());
  const int thread = worker.thread();
  if (thread >= grid.row_parts * grid.column_parts) return;
  const Range row = split(costs.rows, thread / grid.column_parts, grid.row_parts);
  const Range column = split(costs.columns, thread % grid.column_parts, grid.column_parts);
  if (row.begin < row.end && column.begin < column.end) work(thread, row, column);
}

/// Calls work(begin, end) for this thread's part of n values. Parts begin on multiples of as many values T as
/// a cache line holds.
template <class T, class Work>
void in_part(const Worker& worker, std::int64_t n, Work work) {
  constexpr std::int64_t kLine = kCacheLine / sizeof(T);
  worker.parallel_for((n + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
    work(begin * kLine, std::min(end * kLine, n));
  });
}

}  // namespace linnet::cpu
