#include "image/codecs/codec.h"

namespace linnet::image {

Result<void> check_size(const Source& source, std::int64_t width, std::int64_t height) {
  if (width <= 0 || height <= 0)
    return fail("{}: a picture of {} x {} pixels is empty; get an undamaged copy", source.name, width,
                height);
  if (width > source.max_pixels / height)
    return fail(
        "{}: {} x {} pixels are too many; at most {} million pixels are decoded, make the picture smaller "
        "first",
        source.name, width, height, source.max_pixels / 1'000'000);
  if (width > kMaxEdge || height > kMaxEdge)
    return fail("{}: {} x {} pixels are too long; at most {} are decoded on an edge, cut the picture first",
                source.name, width, height, kMaxEdge);
  return {};
}

Result<Image> make_image(const Source& source, std::int64_t width, std::int64_t height) {
  LINNET_CHECK(check_size(source, width, height));
  Image image{.height = static_cast<int>(height), .width = static_cast<int>(width), .pixels = {}};
  image.pixels.resize(image.stride() * height);
  return image;
}

}  // namespace linnet::image
