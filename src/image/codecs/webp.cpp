// WebP by libwebp. The container is RIFF: chunks of a four-letter name, a little-endian size and that many
// bytes, padded to even (WebP Container Specification).
#include <webp/decode.h>

#include "image/codecs/codec.h"

namespace linnet::image {
namespace {

constexpr std::size_t kRiffHeader = 12;  // "RIFF", size, "WEBP"

/// The chunk `name`, or nothing.
Bytes find_chunk(Bytes file, std::string_view name) {
  std::size_t position = kRiffHeader;
  while (position + 8 <= file.size()) {
    const std::string_view found(reinterpret_cast<const char*>(file.data()) + position, 4);
    const std::size_t size = ByteReader(file, position + 4).u32_little();
    position += 8;
    if (size > file.size() - position) break;
    if (found == name) return file.subspan(position, size);
    position += size + size % 2;
  }
  return {};
}

}  // namespace

Result<Decoded> decode_webp(const Source& source) {
  const auto cut_short = [&] { return fail("{}: the WebP is cut short; get a whole copy", source.name); };
  const std::size_t riff_size = ByteReader(source.bytes, 4).u32_little();
  if (riff_size + 8 > source.bytes.size()) return cut_short();
  const auto* const data = reinterpret_cast<const std::uint8_t*>(source.bytes.data());

  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return fail("{}: libwebp is of another version than Linnet was built for; build Linnet anew",
                source.name);
  const auto check = [&](VP8StatusCode status) -> Result<void> {
    switch (status) {
      case VP8_STATUS_OK: return {};
      case VP8_STATUS_NOT_ENOUGH_DATA:
      case VP8_STATUS_SUSPENDED: return cut_short();
      case VP8_STATUS_OUT_OF_MEMORY:
        return fail("{}: no memory to decode the WebP; make the picture smaller first", source.name);
      case VP8_STATUS_UNSUPPORTED_FEATURE:
        return fail("{}: the WebP uses a feature that libwebp does not know; save the picture as PNG",
                    source.name);
      default: return fail("{}: the WebP is damaged; get an undamaged copy", source.name);
    }
  };
  LINNET_CHECK(check(WebPGetFeatures(data, source.bytes.size(), &config.input)));
  if (config.input.has_animation)
    return fail("{}: an animated WebP is not one picture; save one of its frames", source.name);
  LINNET_TRY(Image image, make_image(source, config.input.width, config.input.height));
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.pixels.data();
  config.output.u.RGBA.stride = static_cast<int>(image.stride());
  config.output.u.RGBA.size = image.pixels.size();
  LINNET_CHECK(check(WebPDecode(data, source.bytes.size(), &config)));
  return Decoded{std::move(image), exif_orientation(find_chunk(source.bytes, "EXIF"))};
}

}  // namespace linnet::image
