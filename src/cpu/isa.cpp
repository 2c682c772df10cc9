#include "cpu/isa.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace linnet::cpu {
namespace {

struct Features {
  bool avx2 = false;
  bool avx512 = false;
  bool avx512_vnni = false;
  bool avx512_vbmi = false;
  bool avx512_bf16 = false;
  bool amx = false;
  bool neon = false;
  bool neon_dot = false;
};

#if defined(__x86_64__)

bool bit(unsigned value, int index) { return (value >> index) & 1u; }

/// Which register files the operating system saves (Intel SDM volume 1, 13.3: XCR0).
unsigned saved_state() {
  unsigned low = 0;
  unsigned high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// Tiles are 8 KB of registers that Linux saves only for processes that asked (its arch/x86/xstate.rst); for
/// all threads of this one, from now on.
bool tiles_are_permitted() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Bits as in Intel SDM volume 2A, CPUID, leaves 1 and 7.
Features detect() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Features f;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return f;
  const bool fma = bit(c, 12);
  const bool osxsave = bit(c, 27);
  const bool avx = bit(c, 28);
  const bool f16c = bit(c, 29);  // every CPU with AVX2 has it
  if (!osxsave || !avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return f;
  const unsigned state = saved_state();
  const bool ymm_saved = (state & 0x06u) == 0x06u;
  const bool zmm_saved = (state & 0xe6u) == 0xe6u;
  f.avx2 = ymm_saved && fma && f16c && bit(b, 5);
  f.avx512 = f.avx2 && zmm_saved && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);  // F, DQ, BW, VL
  f.avx512_vnni = f.avx512 && bit(c, 11);
  f.avx512_vbmi = f.avx512_vnni && bit(c, 1);
  const bool tiles_saved = (state & 0x60000u) == 0x60000u;
  const bool tiles = tiles_saved && bit(d, 22) && bit(d, 24) && bit(d, 25);  // BF16, TILE, INT8
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) f.avx512_bf16 = f.avx512 && bit(a, 5);
  f.amx = f.avx512_vbmi && f.avx512_bf16 && tiles && tiles_are_permitted();
  return f;
}

#elif defined(__aarch64__)

Features detect() {
  const unsigned long capabilities = getauxval(AT_HWCAP);
  Features f;
  f.neon = (capabilities & HWCAP_ASIMD) != 0;
  f.neon_dot = f.neon && (capabilities & HWCAP_ASIMDDP) != 0;
  return f;
}

#else

Features detect() { return {}; }

#endif

const Features& features() {
  static const Features found = detect();
  return found;
}

constexpr Isa kAll[] = {Isa::kScalar,     Isa::kAvx2,      Isa::kAvx512, Isa::kAvx512Vnni,
                        Isa::kAvx512Vbmi, Isa::kAvx512Amx, Isa::kNeon,   Isa::kNeonDot};

std::string names_of_available() {
  std::string names;
  for (const Isa isa : available_isas()) names.append(names.empty() ? "" : ", ").append(to_string(isa));
  return names;
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::kScalar: return "scalar";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvx512: return "avx512";
    case Isa::kAvx512Vnni: return "avx512_vnni";
    case Isa::kAvx512Vbmi: return "avx512_vbmi";
    case Isa::kAvx512Amx: return "avx512_amx";
    case Isa::kNeon: return "neon";
    case Isa::kNeonDot: return "neon_dot";
  }
  return "";
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> isas = [] {
    const Features& f = features();
    std::vector<Isa> found = {Isa::kScalar};
    if (f.avx2) found.push_back(Isa::kAvx2);
    if (f.avx512) found.push_back(Isa::kAvx512);
    if (f.avx512_vnni) found.push_back(Isa::kAvx512Vnni);
    if (f.avx512_vbmi) found.push_back(Isa::kAvx512Vbmi);
    if (f.amx) found.push_back(Isa::kAvx512Amx);
    if (f.neon) found.push_back(Isa::kNeon);
    if (f.neon_dot) found.push_back(Isa::kNeonDot);
    return found;
  }();
  return isas;
}

bool has_bf16() { return features().avx512_bf16; }
bool has_amx() { return features().amx; }

Result<Isa> parse_isa(std::string_view name) {
  for (const Isa isa : kAll) {
    if (to_string(isa) != name) continue;
    if (!std::ranges::count(available_isas(), isa))
      return fail("this CPU has no {}; it has {}", name, names_of_available());
    return isa;
  }
  return fail("\"{}\" is no instruction set that Linnet knows; this CPU has {}", name, names_of_available());
}

Result<Isa> selected_isa() {
  const char* forced = std::getenv("LINNET_ISA");
  if (!forced || !*forced) return available_isas().back();
  auto isa = parse_isa(forced);
  if (!isa) return fail("LINNET_ISA: {}", isa.error().message);
  return isa;
}

const Kernels& kernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kernels();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi:
    case Isa::kAvx512Amx: return avx512::kernels();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kNeonDot: return neon::kernels();
#endif
    default: return scalar::kernels();
  }
}

bool multiplies_bf16(Isa isa) { return has_bf16() && isa >= Isa::kAvx512 && isa <= Isa::kAvx512Amx; }

const HalfKernels<Bf16>& kernels_bf16(Isa isa, bool multiplies) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kernels_bf16();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi:
      return multiplies && multiplies_bf16(isa) ? avx512_bf16::kernels_bf16() : avx512::kernels_bf16();
    case Isa::kAvx512Amx: return multiplies ? avx512_amx::kernels_bf16() : avx512::kernels_bf16();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kNeonDot: return neon::kernels_bf16();
#endif
    default: (void)multiplies; return scalar::kernels_bf16();
  }
}

const HalfKernels<Fp16>& kernels_fp16(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kernels_fp16();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi:
    case Isa::kAvx512Amx: return avx512::kernels_fp16();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kNeonDot: return neon::kernels_fp16();
#endif
    default: return scalar::kernels_fp16();
  }
}

const KernelsS8& kernels_s8(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kernels_s8();
    case Isa::kAvx512: return avx512::kernels_s8();
    case Isa::kAvx512Vnni: return avx512_vnni::kernels_s8();
    case Isa::kAvx512Vbmi: return avx512_vbmi::kernels_s8();
    case Isa::kAvx512Amx: return avx512_amx::kernels_s8();
#elif defined(__aarch64__)
    case Isa::kNeon: return neon::kernels_s8();
    case Isa::kNeonDot: return neon_dot::kernels_s8();
#endif
    default: return scalar::kernels_s8();
  }
}

const KernelsTrain& kernels_train(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kernels_train();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi:
    case Isa::kAvx512Amx: return avx512::kernels_train();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kNeonDot: return neon::kernels_train();
#endif
    default: return scalar::kernels_train();
  }
}

const BatchNormKernels<Bf16>& batch_norm_bf16(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::batch_norm_bf16();
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Vbmi:
    case Isa::kAvx512Amx:
      return multiplies_bf16(isa) ? avx512_bf16::batch_norm_bf16() : avx512::batch_norm_bf16();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kNeonDot: return neon::batch_norm_bf16();
#endif
    default: return scalar::batch_norm_bf16();
  }
}

const KernelsProductsBf16* products_bf16(Isa isa, bool multiplies) {
#if defined(__x86_64__)
  if (multiplies && isa == Isa::kAvx512Amx) return &avx512_amx::products_bf16();
  if (multiplies && multiplies_bf16(isa)) return &avx512_bf16::products_bf16();
#endif
  (void)isa;
  (void)multiplies;
  return nullptr;
}

}  // namespace linnet::cpu
