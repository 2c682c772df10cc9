// A layer of a network that trains: forward and backward over one thread's images.
#pragma once

#include <algorithm>
#include <memory>

#include "base/thread_pool.h"
#include "graph/graph.h"
#include "train/value.h"

namespace linnet::train {

/// Values of scratch memory that a layer wants, a thread.
struct ScratchSize {
  std::int64_t x = 0;        ///< what it reads
  std::int64_t dy = 0;       ///< the gradient of what it wrote
  std::int64_t dx = 0;       ///< the gradient of what it read
  std::int64_t columns = 0;  ///< windows, one after the other
  std::int64_t pairs = 0;    ///< bfloat16: weight_gradient_scratch_bf16()
};

/// One thread's. Forward passes write to dy what mixed precision stores rounded.
struct Scratch {
  float* x;
  float* dy;
  float* dx;
  float* columns;
  cpu::Bf16* pairs;
  float* partial;  ///< this thread's gradient of the layer's weights; thread 0 has none of its own
};

class Layer {
 public:
  Layer(const Machine& machine, std::vector<Edge> inputs, Value& output)
      : machine_(machine), inputs_(std::move(inputs)), output_(output) {}
  virtual ~Layer() = default;

  std::vector<Edge>& inputs() { return inputs_; }
  Value& output() { return output_; }
  virtual ScratchSize scratch_size() const = 0;
  /// The gradient of the weights; or empty.
  virtual std::span<float> d_weight() { return {}; }
  /// Whether each thread has sums of its own for it, in Scratch::partial, and not a part of it.
  virtual bool has_partials() const { return true; }

  // Every thread calls each of these once, all before any calls the next.
  /// Brings the weights into the order that forward() reads.
  virtual void pack_forward(int) {}
  virtual void forward(int thread, const Scratch& scratch, Range images) = 0;
  virtual void pack_backward(int) {}
  /// The last edge is delivered to first.
  virtual void backward(int thread, const Scratch& scratch, Range images) = 0;

 protected:
  const Machine& machine_;
  std::vector<Edge> inputs_;
  Value& output_;
};

/// Bytes of one tensor's block that should stay in the L2 cache, beside half a dozen of its like.
inline constexpr std::int64_t kBlockBytes = 96 * 1024;

/// Pixels of a block whose rows have `c` values.
inline std::int64_t block_pixels(std::int64_t c) {
  return std::clamp<std::int64_t>(kBlockBytes / (c * std::int64_t{sizeof(float)}), 28, 512);
}
/// Images of a block.
inline std::int64_t block_images(const Shape& shape) {
  return std::clamp<std::int64_t>(kBlockBytes / (shape.size() * std::int64_t{sizeof(float)}), 1, 64);
}

/// Calls job(begin, count) for blocks of about `block`, as even as they can be.
template <class Job>
void for_each_block(Range range, std::int64_t block, Job job) {
  std::int64_t begin = range.begin;
  for (std::int64_t blocks = (range.end - range.begin + block - 1) / block; blocks > 0; --blocks) {
    const std::int64_t count = (range.end - begin + blocks - 1) / blocks;
    job(begin, count);
    begin += count;
  }
}

/// The weights of a layer that trains: [K, R, S, C] or [R, S, C].
struct Weights {
  std::span<const float> value;
  std::span<float> gradient;
  const float* bias = nullptr;  ///< its gradient is the output value's
};

/// Convolution and Linear.
std::unique_ptr<Layer> make_matrix_layer(const Machine& machine, Edge input, Value& output,
                                         const Window& window, Weights weights);
std::unique_ptr<Layer> make_depthwise_layer(const Machine& machine, Edge input, Value& output,
                                            const Window& window, Weights weights);
std::unique_ptr<Layer> make_add_layer(const Machine& machine, Edge a, Edge b, Value& output);
std::unique_ptr<Layer> make_multiply_layer(const Machine& machine, Edge x, Edge gate, Value& output);
std::unique_ptr<Layer> make_pool_layer(const Machine& machine, Edge input, Value& output);
std::unique_ptr<Layer> make_pad_layer(const Machine& machine, Edge input, Value& output,
                                      const Padding& padding);
/// Writes y of `input` down, so that it can have another norm or activation.
std::unique_ptr<Layer> make_copy_layer(const Machine& machine, Edge input, Value& output);
/// In training sets a share `rate` of the values to zero and divides the others by 1 - rate. (Srivastava et
/// al., "Dropout", 2014)
std::unique_ptr<Layer> make_dropout_layer(const Machine& machine, Edge input, Value& output, float rate,
                                          std::uint64_t seed);

}  // namespace linnet::train
