// Which formats a model can be written in.
#pragma once

#include <filesystem>

#include "graph/graph.h"

namespace linnet::cli {

using ModelWriter = Result<void> (*)(const Graph&, const std::filesystem::path&);

/// By the file's extension. Errors: one that Linnet does not write (kUsage).
Result<ModelWriter> model_writer(const std::filesystem::path& out);

}  // namespace linnet::cli
