// What the Int8, Dot or Quads of one ISA can do and those of another cannot. Internal linkage: see
// finish_body.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linnet::cpu {
namespace {

/// Whether an ISA's Int8 holds a table in registers and reads it in a few instructions: then bytes are looked
/// up before they are stored, else in a pass of their own, which does not repeat the many instructions of a
/// lookup in every tile.
template <class V>
concept LooksUpInRegisters = requires {
  typename V::Table;
};

/// Whether it can add 128 to the bytes that are stored, for layers that multiply unsigned ones.
template <class V>
concept StoresUnsigned = requires(typename V::S8 v) {
  V::as_unsigned(v);
};

/// Whether an ISA's Dot gathers windows of 3 x 3 over three channels, stride 2, four pixels at a time.
template <class D>
concept GathersStems = requires(const std::int8_t* x, std::byte* y) {
  D::gather_stem(x, x, x, y);
};

/// Whether an ISA's Quads multiply unsigned bytes by signed ones.
template <class Q>
concept MultipliesUnsigned = requires(typename Q::Int8::S8 v) {
  Q::turn(v);
};

/// What is stored of v.
template <class V>
inline __attribute__((always_inline)) typename V::S8 stored_s8(typename V::S8 v,
                                                               [[maybe_unused]] bool is_unsigned) {
  if constexpr (StoresUnsigned<V>) {
    if (is_unsigned) return V::as_unsigned(v);
  }
  return v;
}

}  // namespace
}  // namespace linnet::cpu
