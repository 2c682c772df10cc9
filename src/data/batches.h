// Batches of pictures, prepared by threads of their own while the caller works on the one before.
//
// Goals: the same batches for a seed whatever the number of threads and wherever a run was broken off; no
// allocation a batch; next to nothing taken from the cores that train. Non-goals: data that do not fit a list
// of files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/aligned.h"
#include "data/augment.h"
#include "data/dataset.h"

namespace linnet::data {

/// Which batch: plain numbers, to be saved beside the weights.
struct BatchPosition {
  std::int64_t epoch = 0;
  std::int64_t batch = 0;  ///< inside of the epoch
  bool operator==(const BatchPosition&) const = default;
};

struct BatchOptions {
  int size = 128;  ///< images a batch, of all parts together
  /// Which part of every batch is prepared, of how many equal ones: a process of several that train together
  /// takes its own. The parts of a batch, one after the other, are the same images whatever their number.
  int part = 0;
  int parts = 1;
  Shape input;  ///< the model's
  Preprocessing preprocessing;
  /// Without: pictures come in their order, exactly as preprocessing says; the last batch of an epoch may be
  /// smaller. With: shuffled anew each epoch; every batch is whole, what is left over at an epoch's end is
  /// left out of it.
  std::optional<Augmentation> augmentation = {};
  double mixup = 0;  ///< alpha of its Beta distribution; 0: none. Needs augmentation.
  std::uint64_t seed = 1;
  std::optional<std::int64_t> epochs = {};    ///< next() gives null after so many; without: never
  int threads = 1;                            ///< that prepare; not counting the caller's
  int ahead = 4;                              ///< batches prepared before they are asked for
  std::size_t memory = std::size_t{1} << 30;  ///< bytes of decoded picture files that are kept
  /// Told once of each picture that cannot be read, by next(), in the order of the batches.
  std::function<void(const Error&)> report = {};
};

struct Batch {
  BatchPosition position;
  int images = 0;                  ///< at most BatchOptions::size / parts
  AlignedVector<float> pixels;     ///< images x input, NHWC
  std::vector<int> labels;         ///< an image each: the model's class
  std::vector<std::size_t> items;  ///< an image each: which of the data set's
  /// Mixup: the target of image i is lambda of labels[i] and 1 - lambda of its mixup_partner()'s.
  float lambda = 1;
};

/// Not thread-safe: one caller at a time.
class Batches {
 public:
  /// Begins with the batch at `start`. A picture that cannot be read is reported and, with augmentation, its
  /// place is taken by the next one of the epoch's order; without, it is left out. Errors: items without a
  /// class; with augmentation, fewer pictures than a batch; as Augmenter::make; a position that is not there;
  /// parts without augmentation, or that do not divide the batch (with mixup, its pairs).
  static Result<std::unique_ptr<Batches>> make(Dataset set, BatchOptions options, BatchPosition start = {});
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  /// The next batch, null after the last; it lasts until the next call. Errors: none of the pictures can be
  /// read.
  Result<const Batch*> next();

  /// Of the batch that next() will give: make() with it continues here.
  BatchPosition position() const;
  std::int64_t batches_per_epoch() const;

 private:
  class Worker;
  explicit Batches(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace linnet::data
