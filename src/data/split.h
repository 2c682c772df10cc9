// A validation set cut off the training pictures.
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace linnet::data {

struct Split {
  Dataset train;
  Dataset validation;
};

/// Holds `held_out` items back, of every class its share (to within one item), chosen by `seed` alone: the
/// same on every machine. Both parts keep the order of `all`. Errors: items without a class; nothing would be
/// left to train with.
Result<Split> split(const Dataset& all, std::size_t held_out, std::uint64_t seed);

}  // namespace linnet::data
