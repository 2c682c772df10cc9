// What a training run measured, an epoch a record; metrics.jsonl is this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace linnet::train {

struct EpochRecord {
  std::int64_t epoch = 0;   ///< counted from 1
  float learning_rate = 0;  ///< of its last step
  double loss = 0;          ///< mean over the epoch's images, as augmented, with the weights of each step
  double top1 = 0;          ///< share of them whose best class was their (largest) target
  std::optional<double> validation_loss = {};  ///< after the epoch, of the weights that would be kept
  std::optional<double> validation_top1 = {};
  double seconds = 0;  ///< of training, without validation
  double images_per_second = 0;
  bool operator==(const EpochRecord&) const = default;
};

/// JSON, one line an epoch.
std::string to_jsonl(const std::vector<EpochRecord>& history);
/// What to_jsonl() wrote, every number bit for bit. Errors name `file` and the line.
Result<std::vector<EpochRecord>> parse_jsonl(std::string_view text, std::string_view file);

}  // namespace linnet::train
