// Softmax of one vector of scores. Every machine runs this one: it is called once an image at most.
#pragma once

namespace linnet::cpu {

/// y[k] = exp(x[k] - largest) / sum
struct SoftmaxF32 {
  const float* x;  ///< [k]
  float* y;        ///< [k]
  int k;
};

namespace scalar {
void softmax_f32(const SoftmaxF32& a);
}

}  // namespace linnet::cpu
