#include "command_line.h"

#include <algorithm>
#include <string_view>

namespace linnet::cli {
namespace {

std::string typed;  // set once, before any thread starts

std::string quoted(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_=+./:,@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return std::string(word);
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

void set_command_line(int argc, const char* const* argv) {
  typed = "linnet";
  for (int i = 1; i < argc; ++i) typed += " " + quoted(argv[i]);
}

const std::string& command_line() { return typed; }

}  // namespace linnet::cli
