// Which pictures of a data set can be read at all.
#pragma once

#include <functional>

#include "base/thread_pool.h"
#include "data/dataset.h"

namespace linnet::data {

/// `set` without the files that cannot be decoded; `report` is told of each, in their order. Every file is
/// decoded once, by all threads of the pool. Errors: no picture is left, or none of a class that had some.
Result<Dataset> only_readable(Dataset set, ThreadPool& pool, const std::function<void(const Error&)>& report);

}  // namespace linnet::data
