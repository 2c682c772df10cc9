// PNG by libspng.
#include <memory>

#include <spng.h>

#include "image/codecs/codec.h"

namespace linnet::image {
namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

/// What ancillary chunks (profiles, text) may take, bytes.
constexpr std::size_t kMaxChunkBytes = std::size_t{16} << 20;
/// Deflate packs 258 bytes into 2 bits at best, so pixels need at least this share of the file.
constexpr std::int64_t kMaxDeflateRatio = 1032;

/// The last chunk's name and checksum, which libspng does not look at.
constexpr std::string_view kEnd = "IEND\xae\x42\x60\x82";

std::unexpected<Error> spng_failure(const Source& source, int code) {
  if (code == SPNG_IO_EOF || code == SPNG_EIDAT_TOO_SHORT)
    return fail("{}: the PNG is cut short; get a whole copy", source.name);
  if (code == SPNG_EOVERFLOW)
    return fail("{}: the PNG claims a size that overflows memory; get an undamaged copy", source.name);
  return fail("{}: not a PNG that can be decoded: {}; get an undamaged copy", source.name,
              spng_strerror(code));
}

}  // namespace

Result<Decoded> decode_png(const Source& source) {
  const std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(0));
  if (!context) return fail("{}: no memory to decode the PNG; make the picture smaller first", source.name);
  spng_set_chunk_limits(context.get(), kMaxChunkBytes, kMaxChunkBytes);
  if (const int code = spng_set_png_buffer(context.get(), source.bytes.data(), source.bytes.size()))
    return spng_failure(source, code);
  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context.get(), &header)) return spng_failure(source, code);

  LINNET_CHECK(check_size(source, header.width, header.height));
  const auto height = static_cast<std::int64_t>(header.height);
  const std::int64_t samples = header.color_type == SPNG_COLOR_TYPE_TRUECOLOR         ? 3
                               : header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ? 2
                               : header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ? 4
                                                                                      : 1;
  const std::int64_t row_bytes = (header.width * samples * header.bit_depth + 7) / 8;
  if (row_bytes * height / kMaxDeflateRatio > std::int64_t(source.bytes.size()))
    return spng_failure(source, SPNG_EIDAT_TOO_SHORT);
  LINNET_TRY(Image image, make_image(source, header.width, height));
  if (const int code =
          spng_decode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_RGB8, 0))
    return spng_failure(source, code);
  // The chunks after the pixels: they may hold the EXIF block, and a file without its end is no whole file.
  if (const int code = spng_decode_chunks(context.get())) return spng_failure(source, code);
  const std::string_view file(reinterpret_cast<const char*>(source.bytes.data()), source.bytes.size());
  if (file.rfind(kEnd) == std::string_view::npos) return spng_failure(source, SPNG_IO_EOF);
  spng_exif exif{};
  int orientation = 1;
  if (spng_get_exif(context.get(), &exif) == 0)
    orientation = exif_orientation(std::as_bytes(std::span(exif.data, exif.length)));
  return Decoded{std::move(image), orientation};
}

}  // namespace linnet::image
