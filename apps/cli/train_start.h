// Where a training run starts: a family with random weights, or a trained model with a new head.
#pragma once

#include <string>

#include "base/thread_pool.h"
#include "data/training_data.h"
#include "graph/graph.h"
#include "train_options.h"

namespace linnet::cli {

struct Start {
  std::string name;  ///< what says which model it is, for people and for --resume
  Graph graph;       ///< with labels and preprocessing; weights still to be set by initialise() or fit_head()
  int layers = 0;    ///< with weights, before the head
};

/// What --model or --init names, for the classes of `data`. Says on stderr what was assumed. Errors (kUsage):
/// neither or both are given, a model that does not fit the data; those of reading it.
Result<Start> start_of(const TrainOptions& options, const data::TrainingData& data);

/// What --teacher names, if anything. Errors: those of reading it.
Result<std::optional<Graph>> teacher_of(const TrainOptions& options);

/// The number of layers that --freeze means. Errors (kUsage): no such number.
Result<int> frozen_layers(const TrainOptions& options, const Start& start);

}  // namespace linnet::cli
