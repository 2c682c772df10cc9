// What a training run is given: pictures to learn from, pictures to be tested on, and the names of the
// classes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace linnet::data {

struct TrainingData {
  Dataset train;
  Dataset test;                    ///< without items where the data set has no such part
  std::vector<std::string> names;  ///< of the classes, in their order
  std::optional<int> resolution;   ///< pixels, where all pictures have one size
  std::array<float, 3> mean;       ///< of what pixels in [0, 1] are like, RGB
  std::array<float, 3> deviation;
};

/// `spec` is `cifar10:DIR`; a folder with one sub-folder a class, its classes in sorted order; or a folder
/// that holds two such folders, `train` and `test`. Errors: as open_dataset(); fewer than two classes;
/// classes of `test` that are not those of `train`.
Result<TrainingData> open_training_data(std::string_view spec);

}  // namespace linnet::data
