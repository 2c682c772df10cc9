// Pictures to calibrate with.
#pragma once

#include <functional>
#include <string_view>

#include "data/dataset.h"
#include "quantize/quantize.h"

namespace linnet::quantize {

/// The pictures of a folder (data/dataset.h: flat, a sub-folder a class, labels.csv; or cifar10:DIR, its
/// training part) as `graph` takes them; it must have its preprocessing. `limit` above 0: so many of them,
/// spread evenly. `progress` is told how many are read.
Result<std::vector<Image>> read_images(const Graph& graph, std::string_view folder, std::size_t limit,
                                       const std::function<void(std::size_t, std::size_t)>& progress = {});

/// The same of a data set that is open. A picture that cannot be read is left out. Errors: none can be.
Result<std::vector<Image>> read_images(const Graph& graph, const data::Dataset& dataset, std::size_t limit);

}  // namespace linnet::quantize
