// VNNI's quads where there is AVX512_VBMI: tables are read faster, and bytes go anywhere in one instruction.
#pragma once

#include "cpu/kernels/isa/quads_avx512_vnni.h"
#include "numerics/int8_avx512_vbmi.h"

namespace linnet::cpu::avx512_vbmi {
namespace {

/// A ymm register's bytes are looked up by the instructions for zmm: those for ymm reach 64 entries.
struct NarrowInt8 : avx512::NarrowInt8 {
  using Table = numerics::avx512_vbmi::Int8::Table;
  static inline __attribute__((always_inline)) S8 lookup(const std::int8_t* table, S8 x) {
    return _mm512_castsi512_si256(
        numerics::avx512_vbmi::Int8::lookup(Table(table), _mm512_castsi256_si512(x)));
  }
};

struct NarrowQuads : avx512_vnni::NarrowQuads {
  using Int8 = NarrowInt8;
};

struct Quads : avx512_vnni::Quads {
  using Int8 = numerics::avx512_vbmi::Int8;
  using Narrow = NarrowQuads;

  static inline __m512i columns(const std::int8_t* a, const std::int8_t* b, const std::int8_t* c,
                                const std::int8_t* d) {
    // Byte p of lane i: channel i of pixel p.
    const __m512i order = _mm512_setr_epi32(
        0x30201000, 0x31211101, 0x32221202, 0x33231303, 0x34241404, 0x35251505, 0x36261606, 0x37271707,
        0x38281808, 0x39291909, 0x3a2a1a0a, 0x3b2b1b0b, 0x3c2c1c0c, 0x3d2d1d0d, 0x3e2e1e0e, 0x3f2f1f0f);
    __m512i rows = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a)));
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(c)), 2);
    rows = _mm512_inserti32x4(rows, _mm_loadu_si128(reinterpret_cast<const __m128i*>(d)), 3);
    return _mm512_xor_si512(_mm512_permutexvar_epi8(order, rows), _mm512_set1_epi8(-128));
  }
};

}  // namespace
}  // namespace linnet::cpu::avx512_vbmi
