// Any bytes as a picture, and what comes out of it as the input of a small model.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "image/image.h"
#include "image/preprocess.h"

using namespace linnet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t kMaxPixels = 1 << 18;
  const auto image = image::decode(std::as_bytes(std::span(data, size)), "fuzz", kMaxPixels);
  if (!image) {
    if (!image.error().message.starts_with("fuzz: ")) std::abort();
    return 0;
  }
  if (image->pixels.size() != std::size_t(image->height) * image->width * 3) std::abort();

  // The kind of preprocessing is drawn from the pixels, so that the file stays a plain picture.
  const unsigned kind = image->pixels.front();
  Preprocessing p = kind & 1 ? timm_preprocessing(16) : torchvision_preprocessing(16);
  if (kind & 2) p = tensorflow_preprocessing();
  if (kind & 4) p.filter = Filter::kNearest;
  if (kind & 8) p.shortest_edge.reset();
  const Shape input{16, 12, kind & 16 ? 1 : 3};
  std::array<float, 16 * 12 * 3> values;
  const auto result = image::preprocess(*image, p, input, std::span(values).first(input.size()));
  if (!result && result.error().message.empty()) std::abort();
  return 0;
}
