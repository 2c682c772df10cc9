// A trained network made ready to learn from other pictures: its norms know what they are like, and its new
// head is fitted to what the backbone makes of them. Gradients of a random head would tear up features that
// are good already (Kumar et al., "Fine-tuning can distort pretrained features and underperform
// out-of-distribution", 2022).
#pragma once

#include <cstdint>
#include <functional>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "data/dataset.h"
#include "graph/graph.h"

namespace linnet::train {

struct AdaptOptions {
  cpu::Isa isa = cpu::available_isas().back();
  std::uint64_t seed = 1;                                                  ///< of the order of the pictures
  std::function<void(std::size_t done, std::size_t total)> progress = {};  ///< pictures seen by the backbone
  std::function<void(const Error&)> warn = {};                             ///< a picture that is bad
};

/// `graph` as replace_head() gave it, its head trained by AdamW on the features of the pictures and of
/// their mirror images, computed once. Errors: as Batches::make; too little memory.
Result<Graph> fit_head(Graph graph, const data::Dataset& pictures, ThreadPool& pool,
                       const AdaptOptions& options);

/// `graph` with statistics of these pictures, or of a few of them from all classes, in its batch norms
/// (Network::restate_norms()); it computes the same. Errors: as Batches::make; too little memory.
Result<Graph> restate_norms(const Graph& graph, const data::Dataset& pictures, ThreadPool& pool,
                            const AdaptOptions& options);

}  // namespace linnet::train
