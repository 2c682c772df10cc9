// The learning rate of every step of a training run.
#pragma once

#include <cstdint>

namespace linnet::train {

enum class ScheduleKind {
  kStep,      ///< times `factor` every `every` epochs: the default, 0.2 every 60
  kCosine,    ///< half a cosine down to `last` of the base (Loshchilov and Hutter, "SGDR", 2017, without
              ///< restarts)
  kOneCycle,  ///< up from `first` of the base for `rise` of the steps, then down to `last` of it, both along
              ///< half a cosine (Smith and Topin, "Super-Convergence", 2018)
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kStep;
  float base = 0.01f;            ///< the largest rate
  std::int64_t steps = 1;        ///< of the whole run
  std::int64_t epoch_steps = 1;  ///< of one epoch
  std::int64_t warm_up =
      0;  ///< steps in which the rate of kStep and kCosine grows in a line from base / warm_up
  float factor = 0.2f;
  int every = 60;
  float first = 0.04f;
  float rise = 0.3f;
  float last = 0.0f;

  /// The rate of step `step`, counted from 0.
  float rate(std::int64_t step) const;
};

}  // namespace linnet::train
