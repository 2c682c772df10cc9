// VNNI's quads where there is AVX512_VBMI: tables are read faster, and bytes go anywhere in one instruction.
#pragma once

#include "cpu/kernels/isa/quads_avx512_vnni.h"
#include "numerics/int8_avx512_vbmi.h"

namespace linnet::cpu::avx512_amx {
namespace {

struct Quads : avx512_vnni::Quads {
  using Int8 = numerics::avx512_vbmi::Int8;

  static inline __m512i columns(const std::int8_t* a, const std::int8_t* b, const std::int8_t* c,
                                const std::int8_t* d) {
    // Byte p of lane i: channel i of pixel p.
    const __m512i order = _mm512_add_epi8(
        _mm512_set1_epi32(0x30201000),
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32(0x01010101)));
    __m512i rows = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(c)), 2);
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(d)), 3);
    return _mm512_xor_si512(_mm512_permutexvar_epi8(order, rows), _mm512_set1_epi8(-128));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512_amx
