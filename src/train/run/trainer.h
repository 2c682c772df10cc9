// A training run: epochs over a data set, with checkpoints, from the first step or from where it was broken
// off.
//
// Goals: the same bits from the same recipe, data and number of threads, however often the run was killed and
// resumed. The network, its optimiser and the batches are train/ and data/; this room makes them a run.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/network.h"
#include "train/run/history.h"
#include "train/run/recipe.h"

namespace linnet::train {

struct RunData {
  data::Dataset train;
  data::Dataset validation;  ///< without items: nothing is validated
};

struct RunOptions {
  std::filesystem::path folder = {};  ///< of the checkpoint; made where it is missing
  std::string identity = {};          ///< JSON object of what else must be the same to go on: model, data
  bool resume = false;                ///< go on from the folder's checkpoint, where there is one
  double checkpoint_seconds = 60;     ///< between two checkpoints; one more follows each epoch
  int loaders = 1;                    ///< threads that prepare batches
  cpu::Isa isa = cpu::available_isas().back();
  std::optional<Graph> teacher = {};  ///< with its preprocessing, if and only if Recipe::distillation is set
  /// Of several processes that train together, with the same graph, data, recipe and threads: each has its
  /// part of every batch and of the validation; rank 0 alone reads and writes the folder and calls the
  /// observer. Outlives the trainer. nullptr: there is but one.
  Collective* job = nullptr;
  std::function<void(const Error&)> warn = {};  ///< a picture or a checkpoint that went wrong
};

/// Where a run is.
struct Progress {
  std::int64_t epoch = 0;  ///< counted from 1
  std::int64_t epochs = 0;
  std::int64_t step = 0;  ///< done, of the epoch
  std::int64_t steps = 0;
  float learning_rate = 0;
  double loss = 0;  ///< mean over the epoch so far
  double top1 = 0;
  double images_per_second = 0;  ///< since the run was started or resumed, training alone
  double seconds_left = 0;       ///< of the whole run
};

/// Not thread-safe.
class Trainer {
 public:
  /// `graph` as initialised, with its preprocessing; pictures must have classes. `pool` outlives the trainer.
  /// Errors: a recipe that makes no sense; a folder that holds a run where resume is not set; a checkpoint of
  /// another recipe, model or data; those of Network::make and Batches::make.
  static Result<Trainer> make(const Graph& graph, RunData data, const Recipe& recipe, ThreadPool& pool,
                              RunOptions options);
  Trainer(Trainer&&) noexcept;
  ~Trainer();

  struct Observer {
    std::function<void(const Progress&)> step = {};      ///< after every step
    std::function<void(const EpochRecord&)> epoch = {};  ///< after every epoch, its checkpoint written
  };
  /// Runs to the end, or, once `stop` is set, to the next step's end, where it writes a checkpoint. Returns
  /// whether it came to the end. Errors: a loss that is not finite; a data set that cannot be read.
  Result<bool> run(const Observer& observer, const std::atomic<bool>& stop);

  std::int64_t steps_done() const;
  const std::vector<EpochRecord>& history() const;
  /// The result: the averaged weights, or the last; those before quantisation-aware training.
  Graph graph();
  /// What quantisation-aware training made of them: the int8 graph that validation runs. Errors: the run has
  /// not come to it, or knows none.
  Result<Graph> int8();

 private:
  struct Impl;
  explicit Trainer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The checkpoint of a run whose folder is `folder`.
std::filesystem::path checkpoint_path(const std::filesystem::path& folder);

}  // namespace linnet::train
