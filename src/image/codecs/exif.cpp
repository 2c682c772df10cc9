// EXIF's orientation tag. A TIFF block is a byte order, the offset of a directory, and there entries of 12
// bytes: tag, type, count, value (TIFF 6.0, section 2; the tag is Exif 2.3, section 4.6.4).
#include <algorithm>
#include <cstring>

#include "image/codecs/codec.h"

namespace linnet::image {

int exif_orientation(Bytes tiff) {
  constexpr std::uint32_t kOrientation = 0x0112, kShort = 3, kLong = 4;
  constexpr char kPrefix[] = {'E', 'x', 'i', 'f', '\0', '\0'};
  if (tiff.size() >= sizeof kPrefix && std::memcmp(tiff.data(), kPrefix, sizeof kPrefix) == 0)
    tiff = tiff.subspan(sizeof kPrefix);

  ByteReader reader(tiff);
  const std::uint32_t order = reader.u16_big();
  const bool little = order == 0x4949;       // "II"
  if (!little && order != 0x4d4d) return 1;  // "MM"
  const auto u16 = [&] { return little ? reader.u16_little() : reader.u16_big(); };
  const auto u32 = [&] { return little ? reader.u32_little() : reader.u32_big(); };
  if (u16() != 42) return 1;
  reader.seek(u32());
  const std::uint32_t entries = u16();
  for (std::uint32_t i = 0; i < entries && !reader.ended(); ++i) {
    const std::size_t entry = reader.position();
    const std::uint32_t tag = u16(), type = u16(), count = u32();
    if (tag == kOrientation && (type == kShort || type == kLong) && count == 1) {
      const std::uint32_t value = type == kShort ? u16() : u32();
      return !reader.ended() && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
    reader.seek(entry + 12);
  }
  return 1;
}

}  // namespace linnet::image
