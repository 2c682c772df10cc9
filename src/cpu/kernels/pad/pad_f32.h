// Zeros around an image. Every machine runs this one: it only moves memory.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// Writes rows [row_begin, row_end) of the padded image, row row_begin at y + row_begin * (left + w + right)
/// * c.
struct PadF32 {
  const float* x;  ///< [h, w, c]
  int h;
  int w;
  int c;
  int top;  ///< rows of zeros above; those below follow from row_end
  int left;
  int right;
  float* y;  ///< [.., left + w + right, c]
  int row_begin;
  int row_end;
};

namespace scalar {
void pad_f32(const PadF32& a);
}

}  // namespace linnet::cpu
