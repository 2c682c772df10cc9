// Loops that do nothing but keep one unit of the machine busy: what `linnet bench --ceiling` times.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linnet::cpu {

/// A loop of multiply-adds in registers.
struct MultiplyAddProbe {
  /// Runs `iterations` and returns something that depends on all of them. nullptr where the ISA has no such
  /// instruction.
  float (*run)(std::int64_t iterations);
  int macs;  ///< multiply-adds an iteration
};

struct Probe {
  MultiplyAddProbe f32;
  /// Sums n float32 values with vector loads; n is a multiple of 256.
  float (*read)(const float* values, std::ptrdiff_t n);
};

#if defined(__x86_64__)
namespace avx2 {
MultiplyAddProbe probe_s8();  ///< vpmaddubsw, vpmaddwd, vpaddd
}
namespace avx512 {
MultiplyAddProbe probe_s8();
}
namespace avx512_vnni {
MultiplyAddProbe probe_s8();  ///< vpdpbusd
}
namespace avx512_bf16 {
MultiplyAddProbe probe_bf16();  ///< vdpbf16ps
}
namespace avx512_amx {
MultiplyAddProbe probe_s8();    ///< tdpbssd
MultiplyAddProbe probe_bf16();  ///< tdpbf16ps
}  // namespace avx512_amx
#elif defined(__aarch64__)
namespace neon {
MultiplyAddProbe probe_s8();  ///< smull, sadalp
}
namespace neon_dot {
MultiplyAddProbe probe_s8();  ///< sdot
}
#endif

}  // namespace linnet::cpu
