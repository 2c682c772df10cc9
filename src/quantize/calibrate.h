// What a float graph's values are like on some images.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "quantize/histogram.h"

namespace linnet::quantize {

using Image = AlignedVector<float>;            ///< H * W * C of a graph's input
using Progress = std::function<void(double)>;  ///< told which share of the work is done, 0 … 1

struct NodeStatistics {
  Histogram values;  ///< of the output
  // Before the activation, a channel:
  std::vector<double> sum;  ///< over all pixels of all images
  std::vector<float> low;
  std::vector<float> high;
  std::int64_t pixels = 0;  ///< of all images
};

/// One a node. The same bits for any number of threads. Errors: an image of another size, a value that is not
/// finite; they name the node.
Result<std::vector<NodeStatistics>> calibrate(const Graph& graph, std::span<const Image> images,
                                              ThreadPool& pool, const Progress& progress = {});

/// Runs job(thread, image) for every image on the pool's threads, in blocks of one image a thread, and
/// merge(thread) after each block in the order of the images. Errors: the first, in that order.
template <class Job, class Merge>
Result<void> for_each_image(ThreadPool& pool, std::size_t images, Job job, Merge merge) {
  const auto threads = static_cast<std::size_t>(pool.threads());
  std::vector<Result<void>> results(threads);
  for (std::size_t first = 0; first < images; first += threads) {
    const std::size_t block = std::min(threads, images - first);
    pool.run([&](int thread) {
      const auto t = static_cast<std::size_t>(thread);
      if (t < block) results[t] = job(t, first + t);
    });
    for (std::size_t t = 0; t < block; ++t) {
      LINNET_CHECK(std::move(results[t]));
      merge(t);
    }
  }
  return {};
}

}  // namespace linnet::quantize
