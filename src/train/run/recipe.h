// Everything that decides what a training run learns, as plain data. Threads and folders are not part of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cpu/precision.h"
#include "data/augment.h"
#include "train/initialise.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/run/progressive.h"
#include "train/schedule.h"

namespace linnet::train {

enum class OptimizerKind { kSgd, kAdamW };

/// What a run learns from a trained network.
struct Distillation {
  std::string teacher;  ///< which it is; RunOptions::teacher is itself
  TeachersPart part = {};
};

struct Recipe {
  int epochs = 200;
  int batch = 128;  ///< images a step
  OptimizerKind optimizer = OptimizerKind::kSgd;
  float rate = 0.01f;  ///< the largest learning rate
  float momentum = 0.9f;
  bool nesterov = false;
  float weight_decay = 5e-4f;
  ScheduleKind schedule = ScheduleKind::kStep;
  double warm_up = 0;         ///< epochs
  float label_smoothing = 0;  ///< share of the target that all classes have, [0, 1)
  double clip = 0;            ///< the largest norm of all gradients; 0: as they are
  double average = 0;         ///< decay of the weights' moving average; 0: the last weights are the result
  double mixup = 0;           ///< alpha; 0: none
  std::optional<Distillation> distillation = {};
  float dropout = 0;  ///< before the classifier
  float norm_momentum = 0.1f;
  cpu::Precision precision = cpu::Precision::kFloat32;  ///< or kBf16: NetworkOptions
  int frozen_layers = 0;                                ///< as in NetworkOptions
  bool frozen_norms = false;                            ///< likewise
  bool sync_norms = false;  ///< batch norms take the statistics of all processes' images, not of their own
  Initialisation initialisation = Initialisation::kHeFanOut;
  data::Augmentation augmentation = {};  ///< for the model's own size
  Progressive progressive = {};  ///< smaller pictures at first; of the epochs before quantisation-aware ones
  // Quantisation-aware training ends the run, from the float weights before it, with a rate of its own:
  int qat_epochs = 0;       ///< how many of `epochs`; 0: none
  float qat_rate = 0.005f;  ///< falls to zero along half a cosine
  double qat_delay = 0.5;   ///< share of its steps after which batch norms keep their statistics, [0, 1]
  std::uint64_t seed = 1;
};

/// Errors (kUsage) name the command line's option: a number out of its range.
Result<void> check(const Recipe& recipe);

/// JSON, a name and a value each, as checkpoints and reports hold it.
std::string to_json(const Recipe& recipe);

/// What tells two recipes in JSON apart, "learning rate: 0.1, was 0.05"; empty where nothing does.
std::string first_difference(const std::string& recipe, const std::string& was);

}  // namespace linnet::train
