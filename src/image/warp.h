// Pictures turned, sheared and moved, as Pillow moves them.
#pragma once

#include <array>

#include "image/image.h"

namespace linnet::image {

/// Where the centre of pixel (x, y) comes from: (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), in pixels.
using Affine = std::array<double, 6>;

/// The pixel that lies there, black where none does: byte for byte Pillow's
/// Image.transform(size, AFFINE, m, NEAREST), in the same fixed point of 16 fractional bits. Needs edges
/// below 2^15 and a map that leads no corner further away than that.
Image warp(const Image& image, const Affine& map);

/// Turned about its centre, counterclockwise, as Image.rotate(degrees).
Image rotate(const Image& image, double degrees);

}  // namespace linnet::image
