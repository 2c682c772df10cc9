// A node made ready to run: kernel chosen, weights packed, work cut among threads.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/thread_pool.h"
#include "cpu/kernels/kernels.h"
#include "graph/graph.h"

namespace linnet::cpu {

/// What a layer reads and writes for one image.
struct LayerIo {
  const float* a = nullptr;         ///< input 0
  const float* b = nullptr;         ///< input 1, where the operator has one
  const float* residual = nullptr;  ///< convolution: added before `residual_finish`, where given
  float* y = nullptr;               ///< may be a, or b, for operators that work element by element
  float* scratch = nullptr;         ///< scratch() floats a thread
  double* stage_seconds = nullptr;  ///< a fused layer's stages, timed on thread 0, where given
};

/// Immutable once made. run() cuts its work among the pool's threads; the values do not depend on how many
/// they are.
class Layer {
 public:
  virtual ~Layer() = default;
  virtual void run(const LayerIo& io, ThreadPool& pool) const = 0;

  const std::string& kernel() const { return kernel_; }  ///< "avx512::pointwise_f32"
  std::int64_t scratch() const { return scratch_; }      ///< floats a thread
  std::int64_t weight_bytes() const { return weight_bytes_; }

 protected:
  std::string kernel_;
  std::int64_t scratch_ = 0;
  std::int64_t weight_bytes_ = 0;
};

/// A layer that can compute some of its output rows on its own, from rows of its input.
class RowLayer : public Layer {
 public:
  /// Output rows [rows.begin, rows.end), on the calling thread. Row i of the input is at io.a + (i % ring)
  /// rows; a convolution of more than 1x1 takes the whole image, ring = its height. io.y and io.residual are
  /// where rows.begin goes, io.scratch is this thread's own.
  virtual void run_rows(const LayerIo& io, int ring, Range rows) const = 0;
  /// Height of the whole input.
  virtual int input_rows() const = 0;
};

/// `residual_finish`: the activation of an Add that the layer, a convolution, takes over when it is given a
/// residual. The node's constants must outlive the layer. nullptr for the Input.
std::unique_ptr<Layer> make_layer(const Node& node, std::span<const Shape> inputs, const Kernels& kernels,
                                  Activation residual_finish);

}  // namespace linnet::cpu
