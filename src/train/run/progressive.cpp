#include "train/run/progressive.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace linnet::train {

Result<Progressive> parse_progressive(std::string_view text) {
  const auto refuse = [&] {
    return usage("--progressive takes EDGE:SHARE, ..., as in 20:0.4,26:0.7; not \"{}\"", text);
  };
  Progressive result;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    SmallPictures next = {};
    const auto edge = std::from_chars(at, end, next.edge);
    if (edge.ec != std::errc() || edge.ptr == end || *edge.ptr != ':') return refuse();
    const auto until = std::from_chars(edge.ptr + 1, end, next.until);
    if (until.ec != std::errc()) return refuse();
    result.push_back(next);
    at = until.ptr;
    if (at != end && (*at++ != ',' || at == end)) return refuse();
  }
  LINNET_CHECK(check(result));
  return result;
}

std::string to_string(const Progressive& sizes) {
  std::string result;
  for (const SmallPictures& s : sizes)
    result += fmt::format("{}{}:{}", result.empty() ? "" : ",", s.edge, s.until);
  return result;
}

Result<void> check(const Progressive& sizes) {
  SmallPictures before = {.edge = 0, .until = 0};
  for (const SmallPictures& s : sizes) {
    if (!(s.edge > before.edge && s.until > before.until && s.until < 1))
      return usage(
          "--progressive takes edges in pixels and shares of the epochs below 1, both growing; not {}",
          to_string(sizes));
    before = s;
  }
  return {};
}

int edge_in(const Progressive& sizes, int epoch, int epochs, int full) {
  for (const SmallPictures& s : sizes)
    if (epoch < epochs - 1 && epoch < std::lround(s.until * epochs)) return s.edge;
  return full;
}

data::Augmentation scaled(data::Augmentation augmentation, double scale) {
  const auto shrink = [&](int& pixels) { pixels = static_cast<int>(std::lround(pixels * scale)); };
  shrink(augmentation.crop_padding);
  shrink(augmentation.cutout);
  return augmentation;
}

}  // namespace linnet::train
