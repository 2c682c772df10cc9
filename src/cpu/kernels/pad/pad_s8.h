// The zero point around an image. Every machine runs this one: it only moves memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linnet::cpu {

/// Writes rows [row_begin, row_end) of the padded image, row row_begin at y + row_begin * (left + w + right)
/// * c.
struct PadS8 {
  const std::int8_t* x;  ///< [h, w, c]
  int h;
  int w;
  int c;
  int top;  ///< rows of padding above; those below follow from row_end
  int left;
  int right;
  int zero_x;
  std::int8_t* y;  ///< [.., left + w + right, c]
  int row_begin;
  int row_end;
};

namespace scalar {
void pad_s8(const PadS8& a);
}

}  // namespace linnet::cpu
