// CIFAR-10's binary batches (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
#pragma once

#include "data/dataset.h"

namespace linnet::data {

/// open_dataset() of `cifar10:folder`.
Result<Dataset> open_cifar10(const std::filesystem::path& folder, std::span<const std::string> labels,
                             int classes, Part part);

/// The picture of Item::planes, 32x32.
image::Image picture_of_planes(std::span<const std::byte> planes);

}  // namespace linnet::data
