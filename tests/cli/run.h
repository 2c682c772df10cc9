// Runs the tool as a person would, and keeps what it said.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace linnet::testing {

struct Outcome {
  int code = -1;    ///< exit code; 128 + signal where one ended it
  std::string out;  ///< stdout
  std::string err;  ///< stderr
};

struct RunOptions {
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< on top of what there is
  std::string stdout_path = "";  ///< where results go instead, e.g. /dev/full
  std::size_t largest_file = 0;  ///< bytes; a longer file cannot be written, as on a full disk; 0: no limit
  int signal_after_ms = 0;       ///< from the start until `signal` is sent; 0: never
  int signal = 9;
};

/// Runs LINNET_BINARY with these arguments.
Outcome run_linnet(const std::vector<std::string>& arguments, const RunOptions& options = {});

}  // namespace linnet::testing
