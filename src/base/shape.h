// The shape of one image's activation, and the one dictionary of letters.
//
//   N batch    H height    W width    C channels    K output channels    R, S kernel height and width
//   a suffix O marks an output: HO, WO
//
// A Graph describes one image, so a Shape has no N: a batch is the business of whoever runs the graph.
#pragma once

#include <cstdint>
#include <string>

namespace linnet {

/// Height, width and channels of an activation, stored HWC with C fastest. A vector of C scores is {1, 1, C}.
struct Shape {
  int h = 1;
  int w = 1;
  int c = 1;

  /// Number of values in one image: H * W * C.
  std::int64_t size() const { return std::int64_t{h} * w * c; }
  /// Number of pixels in one image: H * W.
  std::int64_t pixels() const { return std::int64_t{h} * w; }
  bool operator==(const Shape&) const = default;
};

/// "224x224x3"
inline std::string to_string(const Shape& s) {
  return std::to_string(s.h) + "x" + std::to_string(s.w) + "x" + std::to_string(s.c);
}

}  // namespace linnet
