#include "cpu/kernels/pad/pad_f32.h"

#include <algorithm>

namespace linnet::cpu::scalar {

void pad_f32(const PadF32& a) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(a.w) * a.c;
  const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(a.left) * a.c;
  const std::ptrdiff_t right = static_cast<std::ptrdiff_t>(a.right) * a.c;
  for (int i = a.row_begin; i < a.row_end; ++i) {
    float* y = a.y + i * (left + row + right);
    const int h = i - a.top;
    if (h < 0 || h >= a.h) {
      std::fill(y, y + left + row + right, 0.0f);
      continue;
    }
    y = std::fill_n(y, left, 0.0f);
    y = std::copy_n(a.x + h * row, row, y);
    std::fill_n(y, right, 0.0f);
  }
}

}  // namespace linnet::cpu::scalar
