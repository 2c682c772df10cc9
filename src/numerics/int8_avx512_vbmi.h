// int8_avx512.h where there is AVX512_VBMI as well: a table of bytes is read in two instructions.
#pragma once

#include "numerics/int8_avx512.h"

namespace linnet::numerics::avx512_vbmi {
namespace {

struct Int8 : avx512::Int8 {
  /// linnet_lookup()'s table, 256 entries, in registers.
  struct Table {
    S8 negative[2];
    S8 positive[2];
    explicit Table(const int8_t* table)
        : negative{load(table), load(table + 64)}, positive{load(table + 128), load(table + 192)} {}
  };
  /// linnet_lookup() of every byte: its lower seven bits choose of two registers, its sign which two.
  static inline __attribute__((always_inline)) S8 lookup(const Table& table, S8 x) {
    const S8 positive = _mm512_permutex2var_epi8(table.positive[0], x, table.positive[1]);
    return _mm512_mask_mov_epi8(positive, _mm512_movepi8_mask(x),
                                _mm512_permutex2var_epi8(table.negative[0], x, table.negative[1]));
  }
  static inline __attribute__((always_inline)) S8 lookup(const int8_t* table, S8 x) {
    return lookup(Table(table), x);
  }
};

}  // namespace
}  // namespace linnet::numerics::avx512_vbmi
