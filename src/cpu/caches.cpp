#include "cpu/caches.h"

#include <fstream>
#include <string>

#include <fmt/core.h>
#include <unistd.h>

namespace linnet::cpu {
namespace {

/// From "1024K", "2M" or "65536"; 0 where it is nothing of the kind.
std::int64_t parse_size(const std::string& text) {
  std::int64_t n = 0;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && i < 12; ++i) n = 10 * n + (text[i] - '0');
  if (i < text.size() && text[i] == 'K') n *= 1024;
  if (i < text.size() && text[i] == 'M') n *= 1024 * 1024;
  return n;
}

std::string first_word(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

/// Of level 2 with data in it, or 0.
std::int64_t l2_of_linux() {
  for (int i = 0; i < 8; ++i) {
    const std::string cache = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", i);
    if (first_word(cache + "level") == "2" && first_word(cache + "type") != "Instruction")
      return parse_size(first_word(cache + "size"));
  }
  return 0;
}

std::int64_t l2_of_library() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  return sysconf(_SC_LEVEL2_CACHE_SIZE);
#else
  return 0;
#endif
}

}  // namespace

std::int64_t l2_bytes() {
  constexpr std::int64_t kLeast = 64 * 1024;
  constexpr std::int64_t kGuess = 1024 * 1024;
  for (const auto ask : {l2_of_linux, l2_of_library})
    if (const std::int64_t bytes = ask(); bytes >= kLeast) return bytes;
  return kGuess;
}

}  // namespace linnet::cpu
