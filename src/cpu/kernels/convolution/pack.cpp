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
  pack_panels_f32({.width = width, .k = k, .depth = depth, .weight = weight, .bias = bias, .packed = packed},
                  0, count_panels(width, k));
}

void pack_panels_f32(const PackF32& a, int panel_begin, int panel_end) {
  const auto depth = static_cast<std::size_t>(a.depth);
  for (int panel = panel_begin; panel < panel_end; ++panel) {
    const int first = vectors_before(a.width, a.k, panel) * a.width;
    const int columns = vectors_before(a.width, a.k, panel + 1) * a.width - first;
    const int inside = std::min(columns, a.k - first);
    float* packed = a.packed + static_cast<std::size_t>(first) * (depth + 1);
    for (int j = 0; j < columns; ++j) *packed++ = a.bias && j < inside ? a.bias[first + j] : 0.0f;
    if (a.transposed) {
      for (int d = 0; d < a.depth; ++d) {
        const float* row = a.weight + static_cast<std::size_t>(d) * static_cast<std::size_t>(a.k) + first;
        packed = std::copy_n(row, inside, packed);
        packed = std::fill_n(packed, columns - inside, 0.0f);
      }
      continue;
    }
    // A cache line of every row at a time: rows that lie a power of two apart would push each other out.
    constexpr int kLine = 16;
    for (int begin = 0; begin < a.depth; begin += kLine) {
      const int rows = std::min(kLine, a.depth - begin);
      for (int j = 0; j < columns; ++j) {
        const float* row = a.weight + static_cast<std::size_t>(first + j) * depth + begin;
        float* column = packed + j;
        for (int d = 0; d < rows; ++d) column[d * columns] = j < inside ? row[d] : 0.0f;
      }
      packed += rows * columns;
    }
  }
}

}  // namespace linnet::cpu
