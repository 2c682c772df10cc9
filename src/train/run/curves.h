// Training curves as pictures: what an epoch measured, over the epochs.
#pragma once

#include <string>
#include <vector>

#include "train/run/history.h"

namespace linnet::train {

/// Mean loss in nats, of the training pictures and of those held out. `history` is not empty.
std::string loss_picture(const std::vector<EpochRecord>& history);
/// Top-1 accuracy in per cent, likewise.
std::string accuracy_picture(const std::vector<EpochRecord>& history);
std::string rate_picture(const std::vector<EpochRecord>& history);
std::string speed_picture(const std::vector<EpochRecord>& history);

}  // namespace linnet::train
