// Zeros around an image. Every machine runs this one: it only moves memory.
#pragma once

#include <cstddef>

namespace linnet::cpu {

/// Writes rows [row_begin, row_end) of the padded image, row row_begin at y + row_begin * (left + w + right)
/// * c.
template <class T>
struct PadOf {
  const T* x;  ///< [h, w, c]
  int h;
  int w;
  int c;
  int top;  ///< rows of zeros above; those below follow from row_end
  int left;
  int right;
  T* y;  ///< [.., left + w + right, c]
  int row_begin;
  int row_end;
};

using PadF32 = PadOf<float>;

namespace scalar {
template <class T>
void pad_float(const PadOf<T>& a);  ///< T: float, or half of one (half.h)
}

}  // namespace linnet::cpu
