// What the verbs share: how one is added, and how it ends.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/result.h"

namespace linnet::cli {

/// Does the work of a verb once the command line is parsed. Returns the exit code of a run that could give
/// its results: 0, or 1 where a part of it failed and was reported. An Error becomes exit code 1 or 2
/// (Error::Kind).
using Action = std::function<Result<int>()>;

/// All verbs that this build has.
void add_verbs(CLI::App& app, Action& action);

/// Adds a verb to `app` and, where it is the one that was typed, sets `action`. One function a file.
void add_models(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_classify(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_plan(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_pull(CLI::App& app, Action& action);

}  // namespace linnet::cli
