#include "cpu/kernels/softmax/softmax_f32.h"

#include <algorithm>
#include <cmath>

namespace linnet::cpu::scalar {

void softmax_f32(const SoftmaxF32& a) {
  const float largest = *std::max_element(a.x, a.x + a.k);
  double sum = 0;
  for (int i = 0; i < a.k; ++i) {
    a.y[i] = std::exp(a.x[i] - largest);
    sum += a.y[i];
  }
  for (int i = 0; i < a.k; ++i) a.y[i] = static_cast<float>(a.y[i] / sum);
}

}  // namespace linnet::cpu::scalar
