// What the codecs share: each turns the bytes of one format into RGB, as stored, with the orientation beside
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "image/image.h"

namespace linnet::image {

using Bytes = std::span<const std::byte>;

struct Decoded {
  Image image;
  int orientation = 1;  ///< EXIF's, 1 to 8
};

/// The bytes of one file, the name for its errors, and the largest picture to accept.
struct Source {
  Bytes bytes;
  std::string_view name;
  std::int64_t max_pixels;
};

/// Each: errors for what is cut short, damaged or too large; `source` begins with the format's magic.
Result<Decoded> decode_jpeg(const Source& source);
Result<Decoded> decode_png(const Source& source);
Result<Decoded> decode_webp(const Source& source);
Result<Decoded> decode_bmp(const Source& source);
Result<Decoded> decode_netpbm(const Source& source);

/// Errors: no pixels, more than source.max_pixels, or an edge above kMaxEdge. Afterwards products of the two
/// cannot overflow.
Result<void> check_size(const Source& source, std::int64_t width, std::int64_t height);

/// A black RGB picture. Errors: as check_size().
Result<Image> make_image(const Source& source, std::int64_t width, std::int64_t height);

/// The orientation (1 to 8) in a TIFF block, the form in which every format carries EXIF; with or without
/// "Exif\0\0" before it. 1 where the block has none or is malformed: a bad tag never costs a picture.
int exif_orientation(Bytes tiff);

/// Reads numbers out of a file's header; past the end they are 0 and ended() tells.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes, std::size_t position = 0) : bytes_(bytes), position_(position) {}

  std::uint32_t u8() {
    if (position_ >= bytes_.size()) {
      ended_ = true;
      return 0;
    }
    return std::to_integer<std::uint32_t>(bytes_[position_++]);
  }
  std::uint32_t u16_little() {
    const std::uint32_t low = u8();
    return low | u8() << 8;
  }
  std::uint32_t u32_little() {
    const std::uint32_t low = u16_little();
    return low | u16_little() << 16;
  }
  std::uint32_t u16_big() {
    const std::uint32_t high = u8() << 8;
    return high | u8();
  }
  std::uint32_t u32_big() {
    const std::uint32_t high = u16_big() << 16;
    return high | u16_big();
  }
  std::size_t position() const { return position_; }
  void seek(std::size_t position) { position_ = position; }
  /// Whether a read went past the end.
  bool ended() const { return ended_; }

 private:
  Bytes bytes_;
  std::size_t position_;
  bool ended_ = false;
};

}  // namespace linnet::image
