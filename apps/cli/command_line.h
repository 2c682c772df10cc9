// What was typed, for those who write it down.
#pragma once

#include <string>

namespace linnet::cli {

/// Called by main() before anything else.
void set_command_line(int argc, const char* const* argv);
/// As it can be typed into a shell again.
const std::string& command_line();

}  // namespace linnet::cli
