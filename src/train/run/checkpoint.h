// The state of a training run between two steps, on disk: whoever reads it back goes on to the same bits.
//
// One safetensors file, written aside, synced and renamed, so that there is always a whole one: a killed
// process or a full disk leaves the one before.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/result.h"
#include "train/run/history.h"

namespace linnet::train {

struct Checkpoint {
  std::string recipe;     ///< JSON: what the run learns from; must be the same to go on
  std::int64_t step = 0;  ///< steps done
  // Of the epoch that is under way:
  double loss_sum = 0;  ///< over its images
  std::int64_t correct = 0;
  std::int64_t images = 0;
  double seconds = 0;
  std::vector<EpochRecord> history = {};
  /// "weights", "statistics", "optimizer", "average" and whatever else changes from step to step.
  std::map<std::string, AlignedVector<float>, std::less<>> arrays = {};
};

/// Writes `checkpoint` with `arrays` in place of its own, which need not be copied for it. Errors: as
/// write_file().
Result<void> write_checkpoint(const Checkpoint& checkpoint,
                              const std::map<std::string, std::span<const float>>& arrays,
                              const std::filesystem::path& path);

/// Errors name `path` and what is wrong: it is missing, cut off, damaged or no checkpoint.
Result<Checkpoint> read_checkpoint(const std::filesystem::path& path);

}  // namespace linnet::train
