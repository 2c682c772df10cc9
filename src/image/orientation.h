// Turning a picture upright.
#pragma once

#include "image/image.h"

namespace linnet::image {

/// The picture as its EXIF orientation (Exif 2.3, section 4.6.4) says that it is to be seen:
/// 1 as stored, 2 mirrored left to right, 3 turned by 180 degrees, 4 mirrored top to bottom, 5 transposed,
/// 6 turned clockwise by 90 degrees, 7 transposed along the other diagonal, 8 turned anticlockwise by 90.
Image upright(Image image, int orientation);

}  // namespace linnet::image
