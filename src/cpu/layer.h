// A node made ready to run: kernel chosen, weights packed, work cut among threads.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/kernels_s8.h"
#include "graph/graph.h"

namespace linnet::cpu {

/// What a layer reads and writes for one image: values as they are stored: float32, half of it, or int8.
struct LayerIo {
  const std::byte* a = nullptr;         ///< input 0
  const std::byte* b = nullptr;         ///< input 1, where the operator has one
  const std::byte* residual = nullptr;  ///< the other operand of an Add that the layer took over
  std::byte* y = nullptr;               ///< may be a, or b, for operators that work element by element
  std::byte* scratch = nullptr;         ///< scratch() bytes a thread
  double* stage_seconds = nullptr;      ///< a fused layer's stages, timed on thread 0, where given
  bool alone = false;  ///< the layer leaves to the nodes behind it what it took over from them
};

/// The same with its pointers as the values that they point to.
template <class T>
struct Values {
  explicit Values(const LayerIo& io)
      : a(reinterpret_cast<const T*>(io.a)),
        b(reinterpret_cast<const T*>(io.b)),
        residual(reinterpret_cast<const T*>(io.residual)),
        y(reinterpret_cast<T*>(io.y)),
        scratch(io.scratch) {}
  const T* a;
  const T* b;
  const T* residual;
  T* y;
  std::byte* scratch;
};

/// Immutable once made. run() is called on every thread of a job and computes that thread's part; the values
/// do not depend on how many threads there are.
class Layer {
 public:
  virtual ~Layer() = default;
  virtual void run(const LayerIo& io, const Worker& worker) const = 0;
  /// `n` output pixels, on the calling thread, of layers whose pixels each depend on a window of the first
  /// input: io.a is where those windows are, one after the other, padding included; those of a layer that
  /// works pixel by pixel are pixels. Depthwise layers, pools and pads have no such form.
  virtual void run_windows(const LayerIo&, std::int64_t) const {}
  /// Bytes of scratch for run_windows() or run_columns() of `n` pixels.
  virtual std::int64_t window_scratch(std::int64_t) const { return 0; }

  /// int8: whether its values can be stored plus 128, as unsigned bytes, and its input 0 be read so. A layer
  /// that multiplies unsigned bytes then reads them where they lie. Runs with LayerIo::alone store and read
  /// int8.
  virtual bool can_store_unsigned() const { return false; }
  virtual bool can_read_unsigned() const { return false; }
  void store_unsigned() { stores_unsigned_ = true; }
  void read_unsigned() { reads_unsigned_ = true; }

  const std::string& kernel() const { return kernel_; }  ///< "avx512::pointwise_f32"
  std::int64_t scratch() const { return scratch_; }      ///< bytes a thread
  std::int64_t weight_bytes() const { return weight_bytes_; }
  /// Whether it is work enough for several threads; else one runs it, as the only thread of its job.
  bool shared() const { return shared_; }
  /// What it writes is float32, the graph's scores, whatever the precision of the other values.
  bool gives_real() const { return gives_real_; }

 protected:
  std::string kernel_;
  std::int64_t scratch_ = 0;
  std::int64_t weight_bytes_ = 0;
  bool shared_ = true;
  bool gives_real_ = false;
  bool stores_unsigned_ = false;
  bool reads_unsigned_ = false;
};

/// A layer that can compute some of its output rows on its own, from rows of its input.
class RowLayer : public Layer {
 public:
  /// Output rows [rows.begin, rows.end), on the calling thread. Row i of the input is at io.a + (i % ring)
  /// rows; a convolution of more than 1x1 takes the whole image, ring = its height. io.y and io.residual are
  /// where rows.begin goes, io.scratch is this thread's own.
  virtual void run_rows(const LayerIo& io, int ring, Range rows) const = 0;
  /// Depthwise layers that were made for any window: output pixels `columns` of row `row`, on the calling
  /// thread. Pixel i of the input, in raster order, is at io.a + (i % ring) pixels. io.y is where the first
  /// of them goes.
  virtual void run_columns(const LayerIo&, int /*ring*/, int /*row*/, Range /*columns*/) const {}
  /// Height of the whole input.
  virtual int input_rows() const = 0;
};

/// A node of the graph with the one behind it that its layer computes as well: an Add, or in int8 an
/// Activate.
struct LayerNode {
  NodeId id;
  std::optional<NodeId> taken_over = {};
};

/// The layer of a node of a canonical graph, whose constants must outlive it. nullptr for the Input.
/// T: float, Bf16 or Fp16, as values are stored.
template <class T>
std::unique_ptr<Layer> make_layer_float(const Graph& graph, LayerNode node, const FloatTable<T>& kernels);
std::unique_ptr<Layer> make_layer_s8(const Graph& graph, LayerNode node, const KernelsS8& kernels);

/// Packs the weights of the float32 dense layers, one behind the other, and has each layer bring those of
/// later ones into the cache, which would wait for memory otherwise. Before the first run; what it returns
/// must outlive the layers.
AlignedVector<float> pack_weights_f32(std::span<const std::unique_ptr<Layer>> layers);

}  // namespace linnet::cpu
