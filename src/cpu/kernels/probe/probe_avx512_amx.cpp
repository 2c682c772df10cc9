#include "cpu/kernels/isa/tiles_amx.h"
#include "cpu/kernels/probe/probe.h"

namespace linnet::cpu::avx512_amx {
namespace {

constexpr int kChains = 4;

template <class Op>
float run(std::int64_t iterations) {
  configure_tiles(kTileRows);
  alignas(64) std::byte zeros[kTileRows * kTileBytes] = {};
  zero_tile<0>();
  zero_tile<1>();
  zero_tile<2>();
  zero_tile<3>();
  load_tile<4>(zeros, kTileBytes);
  load_tile<5>(zeros, kTileBytes);
  load_tile<6>(zeros, kTileBytes);
  load_tile<7>(zeros, kTileBytes);
  for (std::int64_t n = 0; n < iterations; ++n) {
    Op::template multiply_add<0, 4, 6>();
    Op::template multiply_add<1, 4, 7>();
    Op::template multiply_add<2, 5, 6>();
    Op::template multiply_add<3, 5, 7>();
  }
  store_tile<0>(zeros, kTileBytes);
  return static_cast<float>(zeros[0]);
}

}  // namespace

MultiplyAddProbe probe_s8() { return {run<TileS8>, kChains * 16 * 16 * 64}; }
MultiplyAddProbe probe_bf16() { return {run<TileBf16>, kChains * 16 * 16 * 32}; }

}  // namespace linnet::cpu::avx512_amx
