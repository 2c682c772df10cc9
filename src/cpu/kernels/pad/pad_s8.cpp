#include "cpu/kernels/pad/pad_s8.h"

#include <algorithm>

namespace linnet::cpu::scalar {

void pad_s8(const PadS8& a) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(a.w) * a.c;
  const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(a.left) * a.c;
  const std::ptrdiff_t right = static_cast<std::ptrdiff_t>(a.right) * a.c;
  const auto zero = static_cast<std::int8_t>(a.zero_x);
  for (int i = a.row_begin; i < a.row_end; ++i) {
    std::int8_t* y = a.y + i * (left + row + right);
    const int h = i - a.top;
    if (h < 0 || h >= a.h) {
      std::fill(y, y + left + row + right, zero);
      continue;
    }
    y = std::fill_n(y, left, zero);
    y = std::copy_n(a.x + h * row, row, y);
    std::fill_n(y, right, zero);
  }
}

}  // namespace linnet::cpu::scalar
