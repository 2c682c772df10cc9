// AMX tiles as every kernel here uses them: eight of the same shape, `rows` rows of 64 bytes (Intel SDM
// volume 1, 18). Internal linkage: see finish_body.h.
//
// Tiles are a thread's own state, and other libraries of the process may use them: so a kernel calls
// configure_tiles() whenever it begins, which costs some 15 cycles where nothing has changed and some 150
// where it has.
//
// c[i][j] += sum over k of a[i][k] * b[k][j]: a is a tile of `rows` rows of x, 64 bytes of depth each; b of
// 16 rows of weights, each four bytes of depth by 16 channels; c of `rows` rows of 16 sums. So tiles of b
// need rows = 16: they are tiles 6 and 7, whose shape is always the whole one.
#pragma once

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace linnet::cpu::avx512_amx {
namespace {

constexpr int kTileRows = 16;   ///< most rows of a tile
constexpr int kTileBytes = 64;  ///< of a row

/// Makes tiles 0 to 5 `rows` rows high, 1 <= rows <= 16, and tiles 6 and 7 sixteen, on the calling thread.
/// Their values are zero where the shape was another.
inline void configure_tiles(int rows) {
  struct alignas(64) Configuration {
    std::uint8_t palette;
    std::uint8_t start_row;
    std::uint8_t reserved[14];
    std::uint16_t row_bytes[16];
    std::uint8_t rows[16];
  };
  Configuration wanted = {.palette = 1, .start_row = 0, .reserved = {}, .row_bytes = {}, .rows = {}};
  for (int i = 0; i < 8; ++i) {
    wanted.row_bytes[i] = kTileBytes;
    wanted.rows[i] = static_cast<std::uint8_t>(i < 6 ? rows : kTileRows);
  }
  alignas(64) std::byte current[64];
  asm volatile("sttilecfg %0" : "=m"(current));
  if (_mm512_cmpneq_epi32_mask(_mm512_load_si512(current), _mm512_load_si512(&wanted)))
    asm volatile("ldtilecfg %0" : : "m"(wanted));
}

/// Rows of `stride` bytes from p on; stride 0: one row for all.
template <int kTile>
inline __attribute__((always_inline)) void load_tile(const void* p, std::ptrdiff_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline __attribute__((always_inline)) void store_tile(void* p, std::ptrdiff_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
inline __attribute__((always_inline)) void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
}

/// int8 by int8 into int32: quads along the depth.
struct TileS8 {
  template <int kC, int kA, int kB>
  static inline __attribute__((always_inline)) void multiply_add() {
    asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
  }
};

/// bfloat16 by bfloat16 into float32: pairs along the depth. Denormals are zero. A tile's depth is summed in
/// an order of its own, even and odd places apart, and then added to c.
struct TileBf16 {
  template <int kC, int kA, int kB>
  static inline __attribute__((always_inline)) void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kC), "i"(kA), "i"(kB));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512_amx
