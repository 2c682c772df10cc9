// A picture in memory to the bytes of a file.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace linnet::image {

/// A PNG of 8 bits a channel, RGB or grey: decode() gives the same pixels back (grey as three equal
/// channels). Errors: a picture without pixels, no memory.
Result<std::vector<std::byte>> encode_png(const Image& image);

}  // namespace linnet::image
