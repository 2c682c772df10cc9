// avx512_vnni.cpp where the CPU has AVX512_VBMI too.
#include "cpu/kernels/isa/dot_avx512_vnni.h"
#include "cpu/kernels/isa/quads_avx512_vbmi.h"
#include "cpu/kernels/table_s8_body.h"

namespace linnet::cpu::avx512_vbmi {
namespace {

/// Which byte of the three rows of 32 each byte of the four windows is.
struct StemOrder {
  alignas(64) std::int8_t of[128] = {};
  constexpr StemOrder() {
    for (int pixel = 0; pixel < 4; ++pixel)
      for (int row = 0; row < 3; ++row)
        for (int i = 0; i < 9; ++i)
          of[28 * pixel + 9 * row + i] = static_cast<std::int8_t>(32 * row + 6 * pixel + i);
  }
};
constexpr StemOrder kStemOrder = {};

struct Dot : avx512_vnni::Dot {
  using Int8 = numerics::avx512_vbmi::Int8;

  /// The windows of four neighbouring pixels, 3 x 3 over three channels at stride 2, from their three rows:
  /// 28 bytes a pixel, the last one anything. Reads 32 bytes of each row, writes 128.
  static inline void gather_stem(const std::int8_t* row0, const std::int8_t* row1, const std::int8_t* row2,
                                 std::byte* y) {
    const __m512i low = _mm512_inserti64x4(_mm512_castsi256_si512(half(row0)), half(row1), 1);
    const __m512i high = _mm512_castsi256_si512(half(row2));
    const __m512i sign = _mm512_set1_epi8(-128);
    _mm512_storeu_si512(
        y, _mm512_xor_si512(_mm512_permutex2var_epi8(low, _mm512_load_si512(kStemOrder.of), high), sign));
    _mm512_storeu_si512(
        y + 64,
        _mm512_xor_si512(_mm512_permutex2var_epi8(low, _mm512_load_si512(kStemOrder.of + 64), high), sign));
  }

 private:
  static inline __m256i half(const std::int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
};

}  // namespace

const KernelsS8& kernels_s8() noexcept {
  static constexpr KernelsS8 kKernels = table_s8<Dot, Quads>(
      "avx512_vbmi", depthwise_quads<Quads>("avx512_vbmi"), depthwise_columns<Quads>("avx512_vbmi"), {}, {});
  return kKernels;
}

}  // namespace linnet::cpu::avx512_vbmi
