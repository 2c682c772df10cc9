#include <algorithm>

#include "cpu/kernels/convolution/convolution_f32.h"

namespace linnet::cpu {
namespace {

int count_vectors(int width, int k) { return (k + width - 1) / width; }

}  // namespace

int count_panels(int width, int k) { return std::max(1, count_vectors(width, k) / kPanelVectors); }

int vectors_before(int width, int k, int panel) {
  return panel == count_panels(width, k) ? count_vectors(width, k) : panel * kPanelVectors;
}

std::size_t packed_size(int width, int k, int depth) {
  return static_cast<std::size_t>(count_vectors(width, k)) * static_cast<std::size_t>(width) *
         (static_cast<std::size_t>(depth) + 1);
}

void pack_convolution_f32(int width, int k, int depth, const float* weight, const float* bias,
                          float* packed) {
  for (int panel = 0; panel < count_panels(width, k); ++panel) {
    const int first = vectors_before(width, k, panel) * width;
    const int columns = vectors_before(width, k, panel + 1) * width - first;
    for (int j = 0; j < columns; ++j) *packed++ = bias && first + j < k ? bias[first + j] : 0.0f;
    for (int d = 0; d < depth; ++d)
      for (int j = 0; j < columns; ++j) {
        const auto row = static_cast<std::size_t>(first + j);
        *packed++ = first + j < k
                        ? weight[row * static_cast<std::size_t>(depth) + static_cast<std::size_t>(d)]
                        : 0.0f;
      }
  }
}

}  // namespace linnet::cpu
