// Training in mixed precision where the CPU has AVX512_BF16: batch norm's passes, and the products by
// vdpbf16ps.
#include "cpu/kernels/isa/pairs_avx512.h"
#include "cpu/kernels/isa/vector_avx512.h"
#include "cpu/kernels/table_train_body.h"

namespace linnet::cpu::avx512_bf16 {
namespace {

constexpr int kRows = 8;
constexpr int kVectors = 2;  ///< a panel
static_assert(kBf16Rows % kRows == 0 && kBf16Channels == 16 * kVectors);

/// acc[i] += sum over pairs of row i's pair times the panel's. Row i's pairs lie `row` values after those of
/// row i - 1, and `step` values one after the other.
inline __attribute__((always_inline)) void add_products(__m512 (&acc)[kRows][kVectors], const Bf16* x,
                                                        std::ptrdiff_t row, std::ptrdiff_t step,
                                                        const Bf16* panel, std::ptrdiff_t pairs) {
  for (std::ptrdiff_t d = 0; d < pairs; ++d, x += step, panel += 2 * kBf16Channels) {
    const auto w0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
    const auto w1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + kBf16Channels));
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      int pair;
      __builtin_memcpy(&pair, x + i * row, sizeof pair);
      const auto broadcast = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      acc[i][0] = _mm512_dpbf16_ps(acc[i][0], w0, broadcast);
      acc[i][1] = _mm512_dpbf16_ps(acc[i][1], w1, broadcast);
    }
  }
}

inline __attribute__((always_inline)) void store(const __m512 (&acc)[kRows][kVectors], float* y,
                                                 std::ptrdiff_t row, int rows, int lanes, bool accumulate) {
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    if (i >= rows) break;
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      float* const to = y + i * row + j * 16;
      const __mmask16 mask = first_lanes(lanes - j * 16);
      const __m512 before = accumulate ? _mm512_maskz_loadu_ps(mask, to) : _mm512_setzero_ps();
      _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(acc[i][j], before));
    }
  }
}

void product(const ProductBf16& a) {
  const int depth = whole_depth_bf16(a.depth);
  for (int number = a.panel_begin; number < a.panel_end; ++number) {
    const int first = number * kBf16Channels;
    const Bf16* panel = a.packed + static_cast<std::ptrdiff_t>(first) * depth;
    const int lanes = a.k - first;
    __m512 bias[kVectors];
    for (int j = 0; j < kVectors; ++j)
      bias[j] = a.bias ? _mm512_maskz_loadu_ps(first_lanes(lanes - j * 16), a.bias + first + j * 16)
                       : _mm512_setzero_ps();
    for (int p = 0; p < a.pixels; p += kRows) {
      __m512 acc[kRows][kVectors];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
        for (int j = 0; j < kVectors; ++j) acc[i][j] = bias[j];
      add_products(acc, a.x + p * a.x_pixel, a.x_pixel, 2, panel, depth / 2);
      store(acc, a.y + static_cast<std::ptrdiff_t>(p) * a.k + first, a.k, a.pixels - p, lanes, false);
    }
  }
}

void weight_gradient(const WeightGradientBf16& whole) {
  WeightGradientBf16 a = whole;
  Bf16* const x = a.scratch;
  Bf16* const dy = x + static_cast<std::ptrdiff_t>(whole_depth_bf16(a.c)) * kWeightGradientPixelsBf16;
  for (int left = whole.pixels; left > 0; left -= a.pixels) {
    a.pixels = left < kWeightGradientPixelsBf16 ? left : kWeightGradientPixelsBf16;
    pairs_of_rows(a.x, a.x_pixel, a.pixels, a.c, x);
    pairs_of_rows(a.dy, a.dy_pixel, a.pixels, a.k, dy);
    const std::ptrdiff_t panel = whole_rows_bf16(a.pixels) * kBf16Channels;
    const std::ptrdiff_t pairs = (a.pixels + 1) / 2;
    for (int k = 0; k < a.k; k += kRows) {
      const Bf16* const d = dy + k / kBf16Channels * panel + 2 * (k % kBf16Channels);
      for (int c = 0; c < a.c; c += kBf16Channels) {
        __m512 acc[kRows][kVectors] = {};
        add_products(acc, d, 2, 2 * kBf16Channels, x + c / kBf16Channels * panel, pairs);
        store(acc, a.dw + static_cast<std::ptrdiff_t>(k) * a.c + c, a.c, a.k - k, a.c - c, a.accumulate);
      }
    }
    a.x += a.pixels * a.x_pixel;
    a.dy += a.pixels * a.dy_pixel;
    a.accumulate = true;
  }
}

}  // namespace

const BatchNormKernels<Bf16>& batch_norm_bf16() {
  static constexpr BatchNormKernels<Bf16> kKernels = table_batch_norm<avx512::F32, Bf16>();
  return kKernels;
}

const KernelsProductsBf16& products_bf16() {
  using V = avx512::F32;
  static constexpr KernelsProductsBf16 kKernels = {
      .normalise = normalise<V, Bf16, Bf16>,
      .normalise_float = normalise<V, float, Bf16>,
      .normalise_gradient = normalise_gradient<V, Bf16, Bf16>,
      .normalise_gradient_float = normalise_gradient<V, float, Bf16>,
      .pack = pack,
      .product = product,
      .weight_gradient = weight_gradient,
  };
  return kKernels;
}

}  // namespace linnet::cpu::avx512_bf16
