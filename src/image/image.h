// A picture in memory, and how a file becomes one.
//
// Pixels are what Pillow gives for the same file after convert("RGB"): alpha is dropped, 16 bits keep their
// upper 8, CMYK becomes RGB by the same integer formula, colour profiles are ignored. One thing differs from
// a bare Image.open: the EXIF orientation is applied, so that a portrait stands upright.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace linnet::image {

/// Pixels of 8 bits, stored HWC with C fastest: RGB, or luma alone.
struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;  ///< height * width * channels values
  int channels = 3;                  ///< 3 (red, green, blue) or 1 (luma)

  const std::uint8_t* row(int y) const { return pixels.data() + std::size_t(y) * stride(); }
  std::uint8_t* row(int y) { return pixels.data() + std::size_t(y) * stride(); }
  /// Values in a row: width * channels.
  std::size_t stride() const { return std::size_t(width) * channels; }
  bool operator==(const Image&) const = default;
};

/// The largest picture that is decoded, as in Pillow: 537 MB of RGB. A larger one is refused before anything
/// is allocated for its pixels.
inline constexpr std::int64_t kMaxPixels = 178'956'970;
/// The longest edge that is decoded.
inline constexpr std::int64_t kMaxEdge = 1'000'000;

/// Decodes JPEG, PNG, WebP, BMP and PNM (P1 to P6), told apart by their first bytes, never by a file's name.
/// The result is RGB and upright. `name` opens every error message. Thread-safe.
/// Errors: another format, cut short, damaged, larger than max_pixels or kMaxEdge. Harmless flaws that leave
/// every pixel known (unknown chunks, a JPEG without its end marker) are none.
Result<Image> decode(std::span<const std::byte> bytes, std::string_view name,
                     std::int64_t max_pixels = kMaxPixels);

/// decode() of a file. Errors: as decode(), and a path that is missing, a folder or unreadable.
Result<Image> read_image(const std::filesystem::path& path);

/// Luma as Pillow's convert("L"): (19595 R + 38470 G + 7471 B + 2^15) >> 16 (ITU-R 601-2).
Image to_luma(const Image& rgb);

}  // namespace linnet::image
