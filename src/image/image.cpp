#include "image/image.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "base/file.h"
#include "image/codecs/codec.h"
#include "image/orientation.h"

namespace linnet::image {
namespace {

using namespace std::string_view_literals;

std::string_view text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

using Decoder = Result<Decoded> (*)(const Source&);

Decoder find_decoder(std::string_view file) {
  if (file.starts_with("\xff\xd8\xff"sv)) return decode_jpeg;
  if (file.starts_with("\x89PNG\r\n\x1a\n"sv)) return decode_png;
  if (file.starts_with("RIFF"sv) && file.substr(0, 12).ends_with("WEBP"sv)) return decode_webp;
  if (file.starts_with("BM"sv)) return decode_bmp;
  if (file.size() >= 3 && file[0] == 'P' && file[1] >= '1' && file[1] <= '6' &&
      " \t\r\n#"sv.contains(file[2]))
    return decode_netpbm;
  return nullptr;
}

/// The name of a format that is known but not read; empty where even that is unknown.
std::string_view name_foreign_format(std::string_view file) {
  struct Magic {
    std::size_t at;
    std::string_view bytes;
    std::string_view format;
  };
  static constexpr std::array kMagic = std::to_array<Magic>({
      {0, "GIF8"sv, "GIF"},
      {0, "II*\0"sv, "TIFF"},
      {0, "MM\0*"sv, "TIFF"},
      {4, "ftypavif"sv, "AVIF"},
      {4, "ftyphei"sv, "HEIC"},
      {4, "ftypmif1"sv, "HEIF"},
      {0, "\0\0\0\x0cJXL "sv, "JPEG XL"},
      {0, "\xff\x0a"sv, "JPEG XL"},
      {0, "\0\0\0\x0cjP  "sv, "JPEG 2000"},
      {0, "P7\n"sv, "PAM"},
      {0, "<?xml"sv, "SVG or other XML"},
      {0, "<svg"sv, "SVG"},
      {0, "<!DOCTYPE"sv, "HTML"},
      {0, "<html"sv, "HTML"},
      {0, "%PDF"sv, "PDF"},
  });
  for (const Magic& magic : kMagic)
    if (file.size() > magic.at && file.substr(magic.at).starts_with(magic.bytes)) return magic.format;
  return {};
}

}  // namespace

Result<Image> decode(std::span<const std::byte> bytes, std::string_view name, std::int64_t max_pixels) {
  constexpr std::string_view kReads = "Linnet reads JPEG, PNG, WebP, BMP and PPM";
  if (bytes.empty()) return fail("{}: the file is empty; {}", name, kReads);
  const Decoder decoder = find_decoder(text(bytes));
  if (!decoder) {
    const std::string_view foreign = name_foreign_format(text(bytes));
    if (foreign.empty()) return fail("{}: not a picture of a known format; {}", name, kReads);
    return fail("{}: is {}; {}, so convert it to one of them", name, foreign, kReads);
  }
  try {
    LINNET_TRY(Decoded decoded, decoder(Source{bytes, name, max_pixels}));
    return upright(std::move(decoded.image), decoded.orientation);
  } catch (const std::bad_alloc&) {
    return fail("{}: this machine has not the memory to decode it; make the picture smaller first", name);
  }
}

Result<Image> read_image(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail("{}: is a directory, not a picture; name the pictures in it", path.string());
  LINNET_TRY(const MappedFile file, MappedFile::open(path));
  return decode(file.bytes(), path.string());
}

Image to_luma(const Image& rgb) {
  Image luma{.height = rgb.height, .width = rgb.width, .pixels = {}, .channels = 1};
  luma.pixels.resize(std::size_t(rgb.height) * rgb.width);
  const std::uint8_t* p = rgb.pixels.data();
  for (auto& value : luma.pixels) {
    value = static_cast<std::uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
    p += 3;
  }
  return luma;
}

}  // namespace linnet::image
