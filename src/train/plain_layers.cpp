// Layers without weights: add, multiply, pool, pad, copy, dropout.
#include <cmath>

#include "base/random.h"
#include "train/layer.h"

namespace linnet::train {
namespace {

using cpu::Finish;

/// A layer whose output has its input's shape.
class AddLayer final : public Layer {
 public:
  AddLayer(const Machine& machine, Edge a, Edge b, Value& output)
      : Layer(machine, {a, b}, output), block_(block_pixels(output.shape.c)) {}

  ScratchSize scratch_size() const override {
    const std::int64_t size = block_ * output_.shape.c;
    return {.x = size, .dy = size, .dx = size};
  }

  void forward(int thread, const Scratch& scratch, Range images) override {
    for_each_block(pixels_of(images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
      const int c = output_.shape.c;
      const float* a = inputs_[0].value->fetch(pixel, pixels, scratch.x, c).data;
      const float* b = inputs_[1].value->fetch(pixel, pixels, scratch.dx, c).data;
      float* const z = output_.room(pixel, scratch.dy);
      machine_.kernels.add.run({a, b, z, pixels * c, Finish::kNone});
      output_.store(thread, pixel, pixels, z);
    });
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    for_each_block(pixels_of(images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
      const float* dz = output_.fetch_gradient(pixel, pixels, scratch.dy, output_.shape.c).data;
      inputs_[1].deliver(thread, pixel, pixels, dz);
      inputs_[0].deliver(thread, pixel, pixels, dz);
    });
  }

 private:
  Range pixels_of(Range images) const {
    return {images.begin * output_.shape.pixels(), images.end * output_.shape.pixels()};
  }
  std::int64_t block_;
};

class MultiplyLayer final : public Layer {
 public:
  MultiplyLayer(const Machine& machine, Edge x, Edge gate, Value& output)
      : Layer(machine, {x, gate}, output) {}

  ScratchSize scratch_size() const override {
    const Shape& shape = output_.shape;
    return {.x = shape.size(), .dy = shape.size(), .dx = shape.size(), .columns = 2 * std::int64_t{shape.c}};
  }

  void forward(int thread, const Scratch& scratch, Range images) override {
    const Shape& shape = output_.shape;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const std::int64_t pixel = image * shape.pixels();
      float* const z = output_.room(pixel, scratch.dy);
      machine_.kernels.multiply.run(
          {fetch(0, pixel, scratch.x), fetch_gate(image, scratch.columns), z, shape.pixels(), shape.c});
      output_.store(thread, pixel, shape.pixels(), z);
    }
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    const Shape& shape = output_.shape;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const std::int64_t pixel = image * shape.pixels();
      const float* dz = output_.fetch_gradient(pixel, shape.pixels(), scratch.dy, shape.c).data;
      float* const d_gate = scratch.columns + shape.c;
      machine_.train.product_sums(
          {.a = dz, .b = fetch(0, pixel, scratch.x), .sum = d_gate, .pixels = shape.pixels(), .c = shape.c});
      inputs_[1].deliver(thread, image, 1, d_gate);
      machine_.kernels.multiply.run(
          {dz, fetch_gate(image, scratch.columns), scratch.dx, shape.pixels(), shape.c});
      inputs_[0].deliver(thread, pixel, shape.pixels(), scratch.dx);
    }
  }

 private:
  const float* fetch(std::size_t input, std::int64_t pixel, float* scratch) const {
    return inputs_[input].value->fetch(pixel, output_.shape.pixels(), scratch, output_.shape.c).data;
  }
  const float* fetch_gate(std::int64_t image, float* scratch) const {
    return inputs_[1].value->fetch(image, 1, scratch, output_.shape.c).data;
  }
};

class PoolLayer final : public Layer {
 public:
  PoolLayer(const Machine& machine, Edge input, Value& output)
      : Layer(machine, {input}, output), in_(input.value->shape) {}

  ScratchSize scratch_size() const override { return {.x = in_.size(), .dy = in_.c, .dx = in_.size()}; }

  void forward(int thread, const Scratch& scratch, Range images) override {
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const float* x = inputs_[0].value->fetch(image * in_.pixels(), in_.pixels(), scratch.x, in_.c).data;
      float* const z = output_.room(image, scratch.dy);
      machine_.kernels.pool.run({x, z, in_.pixels(), in_.c, 0, in_.c});
      output_.store(thread, image, 1, z);
    }
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    const float share = 1.0f / static_cast<float>(in_.pixels());
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const float* dz = output_.fetch_gradient(image, 1, scratch.dy, in_.c).data;
      for (int c = 0; c < in_.c; ++c) scratch.dx[c] = dz[c] * share;
      for (std::int64_t p = 1; p < in_.pixels(); ++p) std::copy_n(scratch.dx, in_.c, scratch.dx + p * in_.c);
      inputs_[0].deliver(thread, image * in_.pixels(), in_.pixels(), scratch.dx);
    }
  }

 private:
  Shape in_;
};

class PadLayer final : public Layer {
 public:
  PadLayer(const Machine& machine, Edge input, Value& output, const Padding& padding)
      : Layer(machine, {input}, output), in_(input.value->shape), padding_(padding) {}

  ScratchSize scratch_size() const override {
    return {.x = in_.size(), .dy = output_.shape.size(), .dx = in_.size()};
  }

  void forward(int thread, const Scratch& scratch, Range images) override {
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const float* x = inputs_[0].value->fetch(image * in_.pixels(), in_.pixels(), scratch.x, in_.c).data;
      const std::int64_t pixel = image * output_.shape.pixels();
      float* const z = output_.room(pixel, scratch.dy);
      machine_.kernels.pad.run(
          {x, in_.h, in_.w, in_.c, padding_.top, padding_.left, padding_.right, z, 0, output_.shape.h});
      output_.store(thread, pixel, output_.shape.pixels(), z);
    }
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    const Shape& out = output_.shape;
    const std::ptrdiff_t row = std::ptrdiff_t{in_.w} * in_.c;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const float* dz = output_.fetch_gradient(image * out.pixels(), out.pixels(), scratch.dy, out.c).data;
      for (int h = 0; h < in_.h; ++h)
        std::copy_n(dz + (std::ptrdiff_t{h + padding_.top} * out.w + padding_.left) * out.c, row,
                    scratch.dx + h * row);
      inputs_[0].deliver(thread, image * in_.pixels(), in_.pixels(), scratch.dx);
    }
  }

 private:
  Shape in_;
  Padding padding_;
};

/// Values that are kept as they are, or not kept: copy and dropout.
class KeepLayer final : public Layer {
 public:
  KeepLayer(const Machine& machine, Edge input, Value& output, float rate, std::uint64_t seed)
      : Layer(machine, {input}, output), rate_(rate), seed_(seed) {}

  ScratchSize scratch_size() const override {
    const std::int64_t size = output_.shape.size();
    return {.x = size, .dy = size, .dx = size};
  }

  void forward(int thread, const Scratch& scratch, Range images) override {
    const Shape& shape = output_.shape;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const std::int64_t pixel = image * shape.pixels();
      float* const z = output_.room(pixel, scratch.dy);
      keep(image, inputs_[0].value->fetch(pixel, shape.pixels(), scratch.x, shape.c).data, z);
      output_.store(thread, pixel, shape.pixels(), z);
    }
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    const Shape& shape = output_.shape;
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const std::int64_t pixel = image * shape.pixels();
      keep(image, output_.fetch_gradient(pixel, shape.pixels(), scratch.dy, shape.c).data, scratch.dx);
      inputs_[0].deliver(thread, pixel, shape.pixels(), scratch.dx);
    }
  }

 private:
  /// Forward and backward draw the same numbers: they depend on seed, step and image alone.
  void keep(std::int64_t image, const float* from, float* to) const {
    const std::int64_t size = output_.shape.size();
    if (rate_ == 0 || !machine_.training) {
      std::copy_n(from, size, to);
      return;
    }
    Random random(Random(Random(seed_ ^ machine_.step).next() ^
                         static_cast<std::uint64_t>(machine_.first_image + image))
                      .next());
    const float scale = 1.0f / (1.0f - rate_);
    for (std::int64_t i = 0; i < size; ++i) to[i] = random.unit() < rate_ ? 0.0f : from[i] * scale;
  }

  float rate_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Layer> make_add_layer(const Machine& machine, Edge a, Edge b, Value& output) {
  return std::make_unique<AddLayer>(machine, a, b, output);
}
std::unique_ptr<Layer> make_multiply_layer(const Machine& machine, Edge x, Edge gate, Value& output) {
  return std::make_unique<MultiplyLayer>(machine, x, gate, output);
}
std::unique_ptr<Layer> make_pool_layer(const Machine& machine, Edge input, Value& output) {
  return std::make_unique<PoolLayer>(machine, input, output);
}
std::unique_ptr<Layer> make_pad_layer(const Machine& machine, Edge input, Value& output,
                                      const Padding& padding) {
  return std::make_unique<PadLayer>(machine, input, output, padding);
}
std::unique_ptr<Layer> make_copy_layer(const Machine& machine, Edge input, Value& output) {
  return std::make_unique<KeepLayer>(machine, input, output, 0.0f, 0);
}
std::unique_ptr<Layer> make_dropout_layer(const Machine& machine, Edge input, Value& output, float rate,
                                          std::uint64_t seed) {
  return std::make_unique<KeepLayer>(machine, input, output, rate, seed);
}

}  // namespace linnet::train
