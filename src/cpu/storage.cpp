#include "cpu/storage.h"

#include <algorithm>

#include "cpu/layer_parts.h"
#include "cpu/streamed.h"
#include "numerics/multiplier.h"

namespace linnet::cpu {
namespace {

constexpr Precision kAll[] = {Precision::kFloat32, Precision::kBf16, Precision::kFp16, Precision::kInt8};

template <class T>
void narrow(const HalfKernels<T>& kernels, std::span<const float> x, std::byte* y, const Worker& worker) {
  in_part<T>(worker, static_cast<std::int64_t>(x.size()), [&](std::int64_t begin, std::int64_t end) {
    kernels.from_float.run({x.data() + begin, reinterpret_cast<T*>(y) + begin, end - begin});
  });
}

template <class T>
void widen(const HalfKernels<T>& kernels, const std::byte* x, std::span<float> y) {
  kernels.to_float.run({reinterpret_cast<const T*>(x), y.data(), static_cast<std::ptrdiff_t>(y.size())});
}

}  // namespace

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::kFloat32: return "float32";
    case Precision::kBf16: return "bf16";
    case Precision::kFp16: return "fp16";
    case Precision::kInt8: return "int8";
  }
  return "";
}

Result<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : kAll)
    if (name == to_string(precision)) return precision;
  return usage("--precision {}: is none of float32, bf16, fp16, int8", name);
}

Storage::Storage(Precision precision, Isa isa, bool multiplies_bf16, bool by_pixels)
    : precision_(precision),
      isa_(isa),
      multiplies_bf16_(multiplies_bf16),
      float32_kernels_(by_pixels ? any_window(kernels(isa)) : kernels(isa)),
      int8_kernels_(by_pixels ? any_window(kernels_s8(isa)) : kernels_s8(isa)) {}

Result<Precision> Storage::check(const Graph& graph, std::optional<Precision> wanted) {
  const Precision own = is_int8(graph) ? Precision::kInt8 : Precision::kFloat32;
  if (!wanted) return own;
  if (own == Precision::kInt8 && *wanted != own)
    return fail("{}: is int8; the float model that it was made from runs in {}", graph.name,
                to_string(*wanted));
  if (*wanted == Precision::kInt8 && own != *wanted)
    return fail("{}: is a float model; linnet quantize makes an int8 one of it", graph.name);
  return *wanted;
}

std::int64_t Storage::bytes() const {
  switch (precision_) {
    case Precision::kFloat32: return 4;
    case Precision::kBf16:
    case Precision::kFp16: return 2;
    case Precision::kInt8: return 1;
  }
  return 0;
}

std::unique_ptr<Layer> Storage::make_layer(const Graph& graph, LayerNode node) const {
  switch (precision_) {
    case Precision::kFloat32: return make_layer_float<float>(graph, node, float32_kernels_);
    case Precision::kBf16: return make_layer_float<Bf16>(graph, node, kernels_bf16(isa_, multiplies_bf16_));
    case Precision::kFp16: return make_layer_float<Fp16>(graph, node, kernels_fp16(isa_));
    case Precision::kInt8: return make_layer_s8(graph, node, int8_kernels_);
  }
  return nullptr;
}

void Storage::store_images(const Node& node, std::span<const float> images, std::byte* y,
                           const Worker& worker) const {
  if (precision_ == Precision::kBf16) return narrow(kernels_bf16(isa_, multiplies_bf16_), images, y, worker);
  if (precision_ == Precision::kFp16) return narrow(kernels_fp16(isa_), images, y, worker);
  const Quantization& q = *node.quantization;
  const auto n = static_cast<std::int64_t>(images.size());
  in_part<std::int8_t>(worker, n, [&](std::int64_t begin, std::int64_t end) {
    int8_kernels_.quantize_input.run({images.data() + begin, reinterpret_cast<std::int8_t*>(y) + begin,
                                      end - begin, 1.0f / q.scale, q.zero_point});
  });
}

void Storage::load(const Node& node, const std::byte* x, std::span<float> real) const {
  if (precision_ == Precision::kBf16) return widen(kernels_bf16(isa_, multiplies_bf16_), x, real);
  if (precision_ == Precision::kFp16) return widen(kernels_fp16(isa_), x, real);
  if (precision_ == Precision::kFloat32) {
    std::copy_n(reinterpret_cast<const float*>(x), real.size(), real.begin());
    return;
  }
  const Quantization& q = *node.quantization;
  for (std::size_t i = 0; i < real.size(); ++i)
    real[i] = numerics::dequantize_real(std::to_integer<std::int8_t>(x[i]), q.scale, q.zero_point);
}

}  // namespace linnet::cpu
