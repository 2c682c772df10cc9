#include "cpu/kernels/pad/pad_f32.h"

#include <algorithm>

#include "cpu/kernels/half.h"

namespace linnet::cpu::scalar {

template <class T>
void pad_float(const PadOf<T>& a) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(a.w) * a.c;
  const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(a.left) * a.c;
  const std::ptrdiff_t right = static_cast<std::ptrdiff_t>(a.right) * a.c;
  for (int i = a.row_begin; i < a.row_end; ++i) {
    T* y = a.y + i * (left + row + right);
    const int h = i - a.top;
    if (h < 0 || h >= a.h) {
      std::fill(y, y + left + row + right, T{});
      continue;
    }
    y = std::fill_n(y, left, T{});
    y = std::copy_n(a.x + h * row, row, y);
    std::fill_n(y, right, T{});
  }
}

template void pad_float(const PadOf<float>&);
template void pad_float(const PadOf<Bf16>&);
template void pad_float(const PadOf<Fp16>&);

}  // namespace linnet::cpu::scalar
