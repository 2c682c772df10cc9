// Training's products on AMX's tiles. Everything else is AVX512_BF16's.
#include "cpu/kernels/isa/pairs_avx512.h"
#include "cpu/kernels/isa/tiles_amx.h"
#include "cpu/kernels/kernels_train.h"

namespace linnet::cpu::avx512_amx {
namespace {

using avx512_bf16::first_lanes;

constexpr int kTile = 16;                       ///< rows, and float32 or pairs of bfloat16 in a row
constexpr int kTileValues = 2 * kTile * kTile;  ///< of bfloat16
static_assert(kBf16Depth == 2 * kTile && kBf16Rows == 2 * kTile && kBf16Channels == 2 * kTile);

/// Where a block of 2 x 2 tiles of sums goes: as many rows and columns as there are.
struct Block {
  float* y;
  std::ptrdiff_t row;  ///< values from one row to the next
  int rows;
  int columns;
  bool accumulate;
  const float* bias;  ///< of the columns, or nullptr
};

/// Whether the tile at (i, j) goes between registers and y as it is.
inline bool is_whole(const Block& b, int i, int j) {
  return !b.bias && b.rows >= (i + 1) * kTile && b.columns >= (j + 1) * kTile;
}

template <int i, int j>
inline __attribute__((always_inline)) void begin_tile(const Block& b) {
  if (b.accumulate && is_whole(b, i, j))
    load_tile<2 * i + j>(b.y + i * kTile * b.row + j * kTile, b.row * 4);
  else
    zero_tile<2 * i + j>();
}

template <int i, int j>
inline __attribute__((always_inline)) void end_tile(const Block& b) {
  float* const y = b.y + i * kTile * b.row + j * kTile;
  if (is_whole(b, i, j)) return store_tile<2 * i + j>(y, b.row * 4);
  alignas(64) float sums[kTile * kTile];
  store_tile<2 * i + j>(sums, kTile * 4);
  const __mmask16 mask = first_lanes(b.columns - j * kTile);
  const __m512 bias = b.bias ? _mm512_maskz_loadu_ps(mask, b.bias + j * kTile) : _mm512_setzero_ps();
  for (int r = 0; r < kTile && i * kTile + r < b.rows; ++r) {
    const __m512 before = b.accumulate ? _mm512_maskz_loadu_ps(mask, y + r * b.row) : bias;
    _mm512_mask_storeu_ps(y + r * b.row, mask, _mm512_add_ps(before, _mm512_load_ps(sums + r * kTile)));
  }
}

/// Two tiles of rows and two of columns, `steps` tiles deep. Tiles of rows lie `a_low` values apart, their
/// own rows `a_row`; their next step `a_step` values further. A step of columns is a [16, 32, 2] panel.
template <bool kTall, bool kWide>
void multiply_block(const Block& b, const Bf16* a, std::ptrdiff_t a_row, std::ptrdiff_t a_low,
                    std::ptrdiff_t a_step, const Bf16* panel, int steps) {
  begin_tile<0, 0>(b);
  if constexpr (kWide) begin_tile<0, 1>(b);
  if constexpr (kTall) begin_tile<1, 0>(b);
  if constexpr (kTall && kWide) begin_tile<1, 1>(b);
  for (int s = 0; s < steps; ++s, a += a_step, panel += 2 * kTileValues) {
    load_tile<6>(panel, 4 * kBf16Channels);
    load_tile<4>(a, 2 * a_row);
    TileBf16::multiply_add<0, 4, 6>();
    if constexpr (kWide) {
      load_tile<7>(panel + 2 * kTile, 4 * kBf16Channels);
      TileBf16::multiply_add<1, 4, 7>();
    }
    if constexpr (kTall) {
      load_tile<5>(a + a_low, 2 * a_row);
      TileBf16::multiply_add<2, 5, 6>();
      if constexpr (kWide) TileBf16::multiply_add<3, 5, 7>();
    }
  }
  end_tile<0, 0>(b);
  if constexpr (kWide) end_tile<0, 1>(b);
  if constexpr (kTall) end_tile<1, 0>(b);
  if constexpr (kTall && kWide) end_tile<1, 1>(b);
}

inline void run_block(const Block& b, const Bf16* a, std::ptrdiff_t a_row, std::ptrdiff_t a_low,
                      std::ptrdiff_t a_step, const Bf16* panel, int steps) {
  const bool tall = b.rows > kTile;
  const bool wide = b.columns > kTile;
  if (tall && wide) return multiply_block<true, true>(b, a, a_row, a_low, a_step, panel, steps);
  if (tall) return multiply_block<true, false>(b, a, a_row, a_low, a_step, panel, steps);
  if (wide) return multiply_block<false, true>(b, a, a_row, a_low, a_step, panel, steps);
  multiply_block<false, false>(b, a, a_row, a_low, a_step, panel, steps);
}

void product(const ProductBf16& a) {
  configure_tiles(kTile);
  const int depth = whole_depth_bf16(a.depth);
  const int end = a.panel_end * kBf16Channels < a.k ? a.panel_end * kBf16Channels : a.k;
  for (int k = a.panel_begin * kBf16Channels; k < end; k += kBf16Channels)
    for (int p = 0; p < a.pixels; p += kBf16Rows)
      run_block({.y = a.y + static_cast<std::ptrdiff_t>(p) * a.k + k,
                 .row = a.k,
                 .rows = a.pixels - p,
                 .columns = a.k - k,
                 .accumulate = false,
                 .bias = a.bias ? a.bias + k : nullptr},
                a.x + p * a.x_pixel, a.x_pixel, kTile * a.x_pixel, kBf16Depth,
                a.packed + static_cast<std::ptrdiff_t>(k) * depth, depth / kBf16Depth);
}

/// Channels [0, whole c) of rows, turned: [c / 16, whole pixels / 32, 16, 32], with zeros behind the pixels.
void turn_rows(const Bf16* x, std::ptrdiff_t x_pixel, int pixels, int c, Bf16* to) {
  for (int tile = 0; tile < c; tile += kTile)
    for (int p = 0; p < pixels; p += kBf16Rows, to += kTileValues) {
      const Bf16* const corner = x + p * x_pixel + tile;
      __m512i rows[kTile];
#pragma GCC unroll 16
      for (int i = 0; i < kTile; ++i) {
        const Bf16* const row = corner + 2 * i * x_pixel;
        if (p + 2 * i + 1 < pixels)
          rows[i] = avx512_bf16::pairs_of(row, row + x_pixel);
        else if (p + 2 * i < pixels)
          rows[i] = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row)));
        else
          rows[i] = _mm512_setzero_si512();
      }
      avx512_bf16::transpose(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kTile; ++i) _mm512_storeu_si512(to + 2 * kTile * i, rows[i]);
    }
}

void weight_gradient(const WeightGradientBf16& whole) {
  configure_tiles(kTile);
  WeightGradientBf16 a = whole;
  Bf16* const x = a.scratch;
  Bf16* const dy = x + static_cast<std::ptrdiff_t>(whole_depth_bf16(a.c)) * kWeightGradientPixelsBf16;
  for (int left = whole.pixels; left > 0; left -= a.pixels) {
    a.pixels = left < kWeightGradientPixelsBf16 ? left : kWeightGradientPixelsBf16;
    avx512_bf16::pairs_of_rows(a.x, a.x_pixel, a.pixels, a.c, x);
    turn_rows(a.dy, a.dy_pixel, a.pixels, a.k, dy);
    const std::ptrdiff_t whole_pixels = whole_rows_bf16(a.pixels);
    const int steps = static_cast<int>(whole_pixels / kBf16Depth);
    for (int k = 0; k < a.k; k += 2 * kTile)
      for (int c = 0; c < a.c; c += kBf16Channels)
        run_block({.y = a.dw + static_cast<std::ptrdiff_t>(k) * a.c + c,
                   .row = a.c,
                   .rows = a.k - k,
                   .columns = a.c - c,
                   .accumulate = a.accumulate,
                   .bias = nullptr},
                  dy + k * whole_pixels, 2 * kTile, kTile * whole_pixels, kTileValues, x + c * whole_pixels,
                  steps);
    a.x += a.pixels * a.x_pixel;
    a.dy += a.pixels * a.dy_pixel;
    a.accumulate = true;
  }
}

}  // namespace

const KernelsProductsBf16& products_bf16() {
  static const KernelsProductsBf16 kKernels = [] {
    KernelsProductsBf16 table = avx512_bf16::products_bf16();
    table.product = product;
    table.weight_gradient = weight_gradient;
    return table;
  }();
  return kKernels;
}

}  // namespace linnet::cpu::avx512_amx
