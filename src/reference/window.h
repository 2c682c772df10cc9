// The loops that the float and the int8 interpreter share.
#pragma once

#include <cstddef>

#include "base/shape.h"
#include "graph/op.h"

namespace linnet::reference {

/// Index into HWC data.
inline std::size_t at(const Shape& shape, int h, int w, int c) {
  return (static_cast<std::size_t>(h) * static_cast<std::size_t>(shape.w) + static_cast<std::size_t>(w)) *
             static_cast<std::size_t>(shape.c) +
         static_cast<std::size_t>(c);
}

/// Calls visit(r, s, h, w) for every tap of the window at output (ho, wo) that falls inside the image.
template <class Visit>
void for_each_tap(const Window& window, const Shape& x, int ho, int wo, Visit visit) {
  for (int r = 0; r < window.kernel_h; ++r) {
    const int h = ho * window.stride_h - window.padding.top + r;
    if (h < 0 || h >= x.h) continue;
    for (int s = 0; s < window.kernel_w; ++s) {
      const int w = wo * window.stride_w - window.padding.left + s;
      if (w >= 0 && w < x.w) visit(r, s, h, w);
    }
  }
}

/// y[i] = value(h, w, c) for every output in order.
template <class T, class F>
void for_each_output(const Shape& out, T* y, F value) {
  for (int h = 0; h < out.h; ++h)
    for (int w = 0; w < out.w; ++w)
      for (int c = 0; c < out.c; ++c) *y++ = static_cast<T>(value(h, w, c));
}

}  // namespace linnet::reference
