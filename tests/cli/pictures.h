// Pictures of classes that a small network learns in seconds.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace linnet::testing {

/// 32x32 pixels of something like noise, with little of one colour.
inline void write_picture(const std::filesystem::path& path, int label, int i) {
  std::filesystem::create_directories(path.parent_path());
  std::string text = "P6 32 32 255\n";
  unsigned state = static_cast<unsigned>(i * 7919 + label * 104729 + 1);
  for (int value = 0; value < 32 * 32 * 3; ++value) {
    state = state * 1664525u + 1013904223u;
    text += static_cast<char>(state >> (value % 3 == label ? 27 : 24));
  }
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace linnet::testing
