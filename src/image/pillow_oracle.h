// For tests: asks Pillow, where this machine has it, through tests/oracles/pillow_pixels.py.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "image/image.h"

namespace linnet::image {

struct PillowRequest {
  std::filesystem::path picture;
  std::vector<std::string> operations = {};  ///< "resize 256 341 bilinear", "crop 0 1 2 3", "luma"
};

/// An answer for each request, from one run of Python. Errors: no Pillow, or Pillow refused one of the
/// pictures.
Result<std::vector<Image>> ask_pillow(const std::vector<PillowRequest>& requests);

/// Where two pictures part: "equal", their sizes, or the first pixel that differs and how many do.
std::string difference(const Image& image, const Image& expected);

/// Whether Pillow can be asked: for GTEST_SKIP.
bool has_pillow();

}  // namespace linnet::image
