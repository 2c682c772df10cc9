// BMP: headers of 12 (OS/2 1), 40, 52, 56, 64, 108 and 124 bytes; 1, 2, 4, 8, 16, 24 and 32 bits a pixel; bit
// fields; RLE4 and RLE8; rows from the bottom or from the top (Microsoft's wingdi.h names the fields; OS/2 2
// differs only past byte 40). Debian ships no maintained library for it, so this small reader is ours; it is
// strict.
#include <algorithm>
#include <array>
#include <bit>

#include "image/codecs/codec.h"

namespace linnet::image {
namespace {

enum Compression : std::uint32_t { kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6 };

using Colour = std::array<std::uint8_t, 3>;

struct Header {
  std::size_t pixels_at = 0;  ///< bytes from the start of the file
  std::uint32_t header_size = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;  ///< a pixel
  std::uint32_t compression = kRaw;
  std::array<std::uint32_t, 3> masks = {};  ///< red, green, blue; with 16 and 32 bits
  std::vector<Colour> palette = {};         ///< with 1 to 8 bits

  std::size_t stride() const { return static_cast<std::size_t>((width * bits + 31) / 32 * 4); }
};

std::unexpected<Error> cut_short(const Source& source) {
  return fail("{}: the BMP is cut short; get a whole copy", source.name);
}

Result<Header> read_header(const Source& source) {
  ByteReader in(source.bytes, 10);
  Header h;
  h.pixels_at = in.u32_little();
  h.header_size = in.u32_little();
  std::uint32_t colours = 0;
  if (h.header_size == 12) {
    h.width = in.u16_little();
    h.height = in.u16_little();
    in.u16_little();  // planes
    h.bits = in.u16_little();
  } else if (h.header_size == 40 || h.header_size == 52 || h.header_size == 56 || h.header_size == 64 ||
             h.header_size == 108 || h.header_size == 124) {
    h.width = static_cast<std::int32_t>(in.u32_little());
    h.height = static_cast<std::int32_t>(in.u32_little());
    h.top_down = h.height < 0;
    if (h.top_down) h.height = -h.height;
    in.u16_little();  // planes
    h.bits = in.u16_little();
    h.compression = in.u32_little();
    in.seek(in.position() + 12);  // size of the pixels, resolution
    colours = in.u32_little();
  } else if (!in.ended()) {
    return fail("{}: a BMP header of {} bytes is of no known kind; save the picture as PNG", source.name,
                h.header_size);
  }
  if (in.ended()) return cut_short(source);

  const bool indexed = h.bits == 1 || h.bits == 2 || h.bits == 4 || h.bits == 8;
  const bool fields = h.bits == 16 || h.bits == 32;
  if (!indexed && !fields && h.bits != 24)
    return fail("{}: {} bits a pixel are no BMP that can be decoded; save the picture as PNG", source.name,
                h.bits);
  const bool legal =
      h.compression == kRaw || (h.compression == kRle8 && h.bits == 8) ||
      (h.compression == kRle4 && h.bits == 4) ||
      ((h.compression == kBitFields || h.compression == kAlphaBitFields) && fields && h.header_size != 64);
  if (!legal)
    return fail("{}: a BMP with compression {} at {} bits a pixel cannot be decoded; save the picture as PNG",
                source.name, h.compression, h.bits);

  if (fields) {
    h.masks = h.bits == 16 ? std::array<std::uint32_t, 3>{0x7c00, 0x03e0, 0x001f}
                           : std::array<std::uint32_t, 3>{0xff0000, 0x00ff00, 0x0000ff};
    if (h.compression != kRaw) {
      in.seek(14 + 40);  // in the longer headers, or right behind the one of 40 bytes
      for (auto& mask : h.masks) {
        mask = in.u32_little();
        const std::uint32_t ones = mask ? mask >> std::countr_zero(mask) : 0;
        if (!in.ended() && (!mask || (ones & (ones + 1)) || (h.bits == 16 && mask > 0xffff)))
          return fail(
              "{}: colour mask {:#x} in the BMP header is not one run of bits; save the picture as PNG",
              source.name, mask);
      }
    }
  }
  if (indexed) {
    const std::uint32_t most = 1u << h.bits;
    const std::uint32_t entries = colours == 0 || colours > most ? most : colours;
    in.seek(14 + h.header_size);
    for (std::uint32_t i = 0; i < entries; ++i) {
      // A file that leaves the palette short of 2^bits entries may start its pixels there.
      if (h.pixels_at >= 14 + h.header_size && in.position() + (h.header_size == 12 ? 3 : 4) > h.pixels_at)
        break;
      Colour colour;
      for (int c = 2; c >= 0; --c) colour[c] = static_cast<std::uint8_t>(in.u8());
      if (h.header_size != 12) in.u8();
      h.palette.push_back(colour);
    }
  }
  if (in.ended()) return cut_short(source);
  if (h.pixels_at < 14 + h.header_size)
    return fail("{}: the BMP's pixels begin at byte {}, inside its header; the file is damaged", source.name,
                h.pixels_at);
  if (h.pixels_at > source.bytes.size()) return cut_short(source);
  return h;
}

/// Each mask's bits as 0 … 255, rounded down.
std::uint8_t field(std::uint32_t pixel, std::uint32_t mask) {
  const int shift = std::countr_zero(mask);
  const std::uint64_t largest = mask >> shift;
  return static_cast<std::uint8_t>(((pixel & mask) >> shift) * std::uint64_t{255} / largest);
}

std::unexpected<Error> no_such_colour(const Source& source, const Header& h, std::uint32_t index) {
  return fail("{}: colour {} is used, but the BMP's palette has {}; the file is damaged", source.name, index,
              h.palette.size());
}

Result<void> unpack_row(const Source& source, const Header& h, const std::uint8_t* in, std::uint8_t* rgb) {
  for (std::int64_t x = 0; x < h.width; ++x, rgb += 3) {
    if (h.bits <= 8) {
      const auto per_byte = static_cast<std::int64_t>(8 / h.bits);
      const auto shift = static_cast<unsigned>(8 - h.bits * (x % per_byte + 1));
      const std::uint32_t index = (in[x / per_byte] >> shift) & ((1u << h.bits) - 1);
      if (index >= h.palette.size()) return no_such_colour(source, h, index);
      for (int c = 0; c < 3; ++c) rgb[c] = h.palette[index][c];
    } else if (h.bits == 24) {
      for (int c = 0; c < 3; ++c) rgb[c] = in[x * 3 + 2 - c];
    } else {
      const std::size_t size = h.bits / 8;
      std::uint32_t pixel = 0;
      for (std::size_t i = size; i-- > 0;) pixel = pixel << 8 | in[x * size + i];
      for (int c = 0; c < 3; ++c) rgb[c] = field(pixel, h.masks[c]);
    }
  }
  return {};
}

/// RLE4 and RLE8: pairs (count, value) of a run, or 0 and an escape: 0 the end of a row, 1 the end, 2 a move,
/// else that many pixels as they are, padded to two bytes. What is never drawn keeps colour 0.
Result<void> draw_runs(const Source& source, const Header& h, Image& image) {
  for (std::size_t i = 0; i < image.pixels.size() && !h.palette.empty(); ++i)
    image.pixels[i] = h.palette[0][i % 3];
  ByteReader in(source.bytes, h.pixels_at);
  int x = 0, y = 0;  // y counts in the order of the file
  const auto draw = [&](std::uint32_t index) -> Result<void> {
    if (x >= image.width || y >= image.height)
      return fail("{}: a run of the BMP leaves the picture in row {} at byte {}; the file is damaged",
                  source.name, y, in.position());
    if (index >= h.palette.size()) return no_such_colour(source, h, index);
    std::copy_n(h.palette[index].data(), 3,
                image.row(h.top_down ? y : image.height - 1 - y) + std::size_t(x++) * 3);
    return {};
  };
  for (;;) {
    const std::uint32_t count = in.u8(), value = in.u8();
    if (in.ended()) return cut_short(source);
    if (count > 0) {
      for (std::uint32_t i = 0; i < count; ++i)
        LINNET_CHECK(draw(h.bits == 8 ? value : i % 2 == 0 ? value >> 4 : value & 15));
    } else if (value == 0) {
      x = 0;
      ++y;
    } else if (value == 1) {
      return {};
    } else if (value == 2) {
      x += static_cast<int>(in.u8());
      y += static_cast<int>(in.u8());
    } else {
      std::uint32_t byte = 0;
      for (std::uint32_t i = 0; i < value; ++i) {
        if (h.bits == 8 || i % 2 == 0) byte = in.u8();
        if (in.ended()) return cut_short(source);
        LINNET_CHECK(draw(h.bits == 8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15));
      }
      const std::uint32_t bytes = h.bits == 8 ? value : (value + 1) / 2;
      if (bytes % 2) in.u8();
    }
  }
}

}  // namespace

Result<Decoded> decode_bmp(const Source& source) {
  LINNET_TRY(const Header h, read_header(source));
  const bool runs = h.compression == kRle8 || h.compression == kRle4;
  LINNET_CHECK(check_size(source, h.width, h.height));
  if (!runs && h.stride() * h.height > source.bytes.size() - h.pixels_at) return cut_short(source);
  LINNET_TRY(Image image, make_image(source, h.width, h.height));

  if (runs) {
    LINNET_CHECK(draw_runs(source, h, image));
    return Decoded{std::move(image)};
  }
  const auto* const rows = reinterpret_cast<const std::uint8_t*>(source.bytes.data()) + h.pixels_at;
  for (int y = 0; y < image.height; ++y)
    LINNET_CHECK(
        unpack_row(source, h, rows + y * h.stride(), image.row(h.top_down ? y : image.height - 1 - y)));
  return Decoded{std::move(image)};
}

}  // namespace linnet::image
