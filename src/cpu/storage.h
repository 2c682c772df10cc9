// How an executor stores values: which layers compute them, and the way from float32 images and back to
// float32 scores.
#pragma once

#include <memory>
#include <span>

#include "cpu/isa.h"
#include "cpu/layer.h"
#include "cpu/precision.h"

namespace linnet::cpu {

class Storage {
 public:
  /// For a graph that the precision fits (check()). `multiplies_bf16`: where the CPU can. `by_pixels`: layers
  /// are those that run pixel by pixel (streamed.h), of float32 or int8.
  Storage(Precision precision, Isa isa, bool multiplies_bf16, bool by_pixels);

  /// The precision that a graph runs with: its own, or the one that is wanted. Errors: an int8 graph and
  /// another precision, or the reverse.
  static Result<Precision> check(const Graph& graph, std::optional<Precision> wanted);

  Precision precision() const { return precision_; }
  bool is_float32() const { return precision_ == Precision::kFloat32; }
  /// Bytes of a value.
  std::int64_t bytes() const;
  const KernelsS8& int8_kernels() const { return int8_kernels_; }

  /// nullptr for the Input. The graph's constants must outlive the layer.
  std::unique_ptr<Layer> make_layer(const Graph& graph, LayerNode node) const;
  /// Images as values of the Input `node`, this thread's part. Not for float32, where they are that.
  void store_images(const Node& node, std::span<const float> images, std::byte* y,
                    const Worker& worker) const;
  /// What the stored values of a node are in float32.
  void load(const Node& node, const std::byte* x, std::span<float> real) const;

 private:
  Precision precision_;
  Isa isa_;
  bool multiplies_bf16_;
  Kernels float32_kernels_;
  KernelsS8 int8_kernels_;
};

}  // namespace linnet::cpu
