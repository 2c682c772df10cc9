// For tests: pictures of noise, pictures compared, and Pillow asked through tests/oracles/pillow_pixels.py.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"

namespace linnet::image {

/// What tests/data/pictures/make.py calls noise(): RGB, every byte random, or only 0 and 255 (`hard`).
Image noise(int height, int width, bool hard = false, std::uint64_t seed = 1);

/// A file of pixels: "HEIGHT WIDTH CHANNELS\n", then bytes.
Result<Image> read_pixels(const std::filesystem::path& path);

/// CRC-32 as zlib's crc32().
std::uint32_t crc32(std::span<const std::byte> bytes);

/// The lines of a file under tests/data/pictures, each parted at its tabs.
std::vector<std::vector<std::string>> read_table(const std::string& name);

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
