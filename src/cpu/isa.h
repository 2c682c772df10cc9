// Which instruction set runs: what the CPU and its operating system offer, or what LINNET_ISA asks for.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/kernels_s8.h"
#include "cpu/kernels/kernels_train.h"

namespace linnet::cpu {

/// From the plainest to the fastest of each architecture.
enum class Isa { kScalar, kAvx2, kAvx512, kAvx512Vnni, kAvx512Vbmi, kAvx512Amx, kNeon, kNeonDot };

/// "scalar", "avx2", "avx512", "avx512_vnni", "avx512_vbmi", "avx512_amx", "neon", "neon_dot"
std::string_view to_string(Isa isa);

/// What this machine can run, kScalar first, the fastest last. Thread-safe.
const std::vector<Isa>& available_isas();

/// True where the CPU multiplies bfloat16 (AVX512_BF16).
bool has_bf16();
/// True where the CPU has AMX's tiles for int8 and bfloat16 (and AVX512_BF16, VNNI and VBMI), and the system
/// lets this process use them.
bool has_amx();

/// The ISA of that name. Errors: no such name, or not on this machine; both list what there is.
Result<Isa> parse_isa(std::string_view name);

/// LINNET_ISA where it is set, else the fastest. Errors as parse_isa().
Result<Isa> selected_isa();

/// float32 kernels of an ISA that is available; those of kAvx512Vnni, kAvx512Vbmi and kAvx512Amx are
/// AVX-512's, kNeonDot's NEON's.
const Kernels& kernels(Isa isa);

/// bfloat16 kernels of an ISA that is available. On AVX-512 those that multiply bfloat16 where the CPU can,
/// unless `multiplies` says that they shall not.
const HalfKernels<Bf16>& kernels_bf16(Isa isa, bool multiplies = true);
/// Whether kernels_bf16(isa) multiply bfloat16; if not, they are float32's in half the memory.
bool multiplies_bf16(Isa isa);
/// float16 kernels of an ISA that is available.
const HalfKernels<Fp16>& kernels_fp16(Isa isa);

/// int8 kernels of an ISA that is available: each has its own.
const KernelsS8& kernels_s8(Isa isa);

/// What training needs besides kernels(), of the same ISA.
const KernelsTrain& kernels_train(Isa isa);
/// The same for values that are stored as bfloat16.
const BatchNormKernels<Bf16>& batch_norm_bf16(Isa isa);
/// Products of bfloat16 in training, by the fastest instructions of an ISA that is available; nullptr where
/// it has none, or `multiplies` says that they shall not be used.
const KernelsProductsBf16* products_bf16(Isa isa, bool multiplies = true);

}  // namespace linnet::cpu
