#include "data/pictures.h"

#include <algorithm>

#include "image/resize.h"

namespace linnet::data {

Pictures::Pictures(const Dataset& set, int largest_edge, std::size_t bytes)
    : set_(set),
      largest_edge_(largest_edge),
      bytes_(bytes),
      kept_(set.items.size()),
      bad_(set.items.size()) {}

Result<std::shared_ptr<const image::Image>> Pictures::get(std::size_t item) {
  {
    const std::lock_guard lock(mutex_);
    if (bad_[item]) return std::unexpected(*bad_[item]);
    if (kept_[item]) return kept_[item];
  }
  Result<image::Image> picture = load(set_.items[item]);
  if (!picture) {
    const std::lock_guard lock(mutex_);
    bad_[item] = std::make_unique<const Error>(picture.error());
    return std::unexpected(std::move(picture).error());
  }
  if (const int edge = std::min(picture->height, picture->width); largest_edge_ > 0 && edge > largest_edge_) {
    const auto shrunk = [&](int size) { return static_cast<int>(std::int64_t{size} * largest_edge_ / edge); };
    *picture = image::resize(*picture, shrunk(picture->height), shrunk(picture->width), Filter::kBilinear);
  }
  auto decoded = std::make_shared<const image::Image>(*std::move(picture));
  const std::lock_guard lock(mutex_);
  if (!kept_[item] && kept_bytes_ + decoded->pixels.size() <= bytes_) {
    kept_[item] = decoded;
    kept_bytes_ += decoded->pixels.size();
  }
  return decoded;
}

}  // namespace linnet::data
