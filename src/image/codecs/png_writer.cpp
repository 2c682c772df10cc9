// PNG files written by libspng.
#include <cstdlib>
#include <memory>

#include <spng.h>

#include "image/encode.h"

namespace linnet::image {

Result<std::vector<std::byte>> encode_png(const Image& image) {
  if (image.pixels.empty()) return fail("a picture of {} x {} pixels is no PNG", image.width, image.height);
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  if (!context) return fail("there is no memory to write a PNG");
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = image.channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  int code = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  if (code == 0) code = spng_set_ihdr(context.get(), &header);
  if (code == 0)
    code = spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG,
                             SPNG_ENCODE_FINALIZE);
  std::size_t size = 0;
  const std::unique_ptr<void, void (*)(void*)> bytes(
      code == 0 ? spng_get_png_buffer(context.get(), &size, &code) : nullptr, std::free);
  if (code != 0 || !bytes)
    return fail("a picture of {} x {} pixels cannot be written as PNG: {}", image.width, image.height,
                spng_strerror(code));
  const auto* first = static_cast<const std::byte*>(bytes.get());
  return std::vector<std::byte>(first, first + size);
}

}  // namespace linnet::image
