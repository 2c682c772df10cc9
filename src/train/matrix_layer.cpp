// Convolution and Linear: three matrix products, over the windows of a block of pixels.
#include "cpu/kernels/convolution/convolution_f32.h"
#include "train/layer.h"

namespace linnet::train {
namespace {

class MatrixLayer final : public Layer {
 public:
  MatrixLayer(const Machine& machine, Edge input, Value& output, const Window& window, Weights weights)
      : Layer(machine, {input}, output),
        window_(window),
        weights_(weights),
        in_(input.value->shape),
        out_(output.shape),
        depth_(window.kernel_h * window.kernel_w * in_.c),
        pointwise_(window == Window{}),
        block_(block_pixels(std::max(depth_, out_.c))) {
    const int width = machine.kernels.width;
    packed_forward_.resize(cpu::packed_size(width, out_.c, depth_));
    if (input.value->needs_gradient) packed_backward_.resize(cpu::packed_size(width, depth_, out_.c));
  }

  ScratchSize scratch_size() const override {
    const std::int64_t dy = block_ * pitch(out_.c);
    if (pointwise_) return {.x = block_ * pitch(in_.c), .dy = dy, .dx = block_ * in_.c};
    return {.x = in_.size(), .dy = dy, .dx = in_.size(), .columns = block_ * pitch(depth_)};
  }
  std::span<float> d_weight() override { return weights_.gradient; }

  void pack_forward(int thread) override {
    pack(thread, {.width = machine_.kernels.width,
                  .k = out_.c,
                  .depth = depth_,
                  .weight = weights_.value.data(),
                  .bias = weights_.bias,
                  .packed = packed_forward_.data()});
  }
  void pack_backward(int thread) override {
    if (packed_backward_.empty()) return;
    pack(thread, {.width = machine_.kernels.width,
                  .k = depth_,
                  .depth = out_.c,
                  .weight = weights_.value.data(),
                  .transposed = true,
                  .bias = nullptr,
                  .packed = packed_backward_.data()});
  }

  void forward(int thread, const Scratch& scratch, Range images) override {
    const auto run = [&](const Rows& x, std::int64_t pixel, std::int64_t pixels) {
      product(x, depth_, packed_forward_.data(), out_.c, output_.at(pixel), pixels);
      output_.observe(thread, pixel, pixels);
    };
    if (pointwise_)
      return for_each_block(pixels_of(images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        run(inputs_[0].value->fetch(pixel, pixels, scratch.x, pitch(in_.c)), pixel, pixels);
      });
    for (std::int64_t image = images.begin; image < images.end; ++image) {
      const float* x = fetch_image(image, scratch);
      for_each_block(pixels_of({image, image + 1}), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        gather(x, pixel - image * out_.pixels(), pixels, scratch.columns);
        run({scratch.columns, pitch(depth_)}, pixel, pixels);
      });
    }
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    float* const dw = thread == 0 ? weights_.gradient.data() : scratch.partial;
    bool accumulate = false;
    const auto add_to_weights = [&](const Rows& dz, const Rows& x, std::int64_t pixels) {
      machine_.train.weight_gradient({.dy = dz.data,
                                      .dy_pixel = dz.pixel,
                                      .x = x.data,
                                      .x_pixel = x.pixel,
                                      .pixels = static_cast<int>(pixels),
                                      .k = out_.c,
                                      .c = depth_,
                                      .dw = dw,
                                      .accumulate = accumulate});
      accumulate = true;
    };
    const auto output_gradient = [&](std::int64_t pixel, std::int64_t pixels) {
      return output_.fetch_gradient(pixel, pixels, scratch.dy, pitch(out_.c));
    };
    const Edge& input = inputs_[0];
    if (pointwise_) {
      for_each_block(pixels_of(images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        const Rows dz = output_gradient(pixel, pixels);
        add_to_weights(dz, input.value->fetch(pixel, pixels, scratch.x, pitch(in_.c)), pixels);
        if (packed_backward_.empty()) return;
        product(dz, out_.c, packed_backward_.data(), in_.c, scratch.dx, pixels);
        input.deliver(thread, pixel, pixels, scratch.dx);
      });
    } else {
      for (std::int64_t image = images.begin; image < images.end; ++image) {
        const float* x = fetch_image(image, scratch);
        if (!packed_backward_.empty()) std::fill_n(scratch.dx, in_.size(), 0.0f);
        for_each_block(pixels_of({image, image + 1}), block_, [&](std::int64_t pixel, std::int64_t pixels) {
          const std::int64_t first = pixel - image * out_.pixels();
          const Rows dz = output_gradient(pixel, pixels);
          gather(x, first, pixels, scratch.columns);
          add_to_weights(dz, {scratch.columns, pitch(depth_)}, pixels);
          if (packed_backward_.empty()) return;
          product(dz, out_.c, packed_backward_.data(), depth_, scratch.columns, pixels);
          scatter(scratch.columns, first, pixels, scratch.dx);
        });
        if (!packed_backward_.empty()) input.deliver(thread, image * in_.pixels(), in_.pixels(), scratch.dx);
      }
    }
    if (!accumulate) std::ranges::fill_n(dw, static_cast<std::ptrdiff_t>(weights_.gradient.size()), 0.0f);
  }

 private:
  Range pixels_of(Range images) const { return {images.begin * out_.pixels(), images.end * out_.pixels()}; }

  const float* fetch_image(std::int64_t image, const Scratch& scratch) const {
    return inputs_[0].value->fetch(image * in_.pixels(), in_.pixels(), scratch.x, in_.c).data;
  }

  void pack(int thread, const cpu::PackF32& a) const {
    const Range panels = split(cpu::count_panels(a.width, a.k), thread, machine_.threads);
    cpu::pack_panels_f32(a, static_cast<int>(panels.begin), static_cast<int>(panels.end));
  }

  /// y[pixels, k] = x[pixels, depth] times the packed weights.
  void product(const Rows& x, int depth, const float* packed, int k, float* y, std::int64_t pixels) const {
    machine_.kernels.pointwise.run({.x = x.data,
                                    .x_pixel = x.pixel,
                                    .x_run = 0,
                                    .runs = 1,
                                    .run = depth,
                                    .packed = packed,
                                    .residual = nullptr,
                                    .y = y,
                                    .pixels = static_cast<int>(pixels),
                                    .k = k,
                                    .panel_begin = 0,
                                    .panel_end = cpu::count_panels(machine_.kernels.width, k),
                                    .fetch = nullptr,
                                    .fetch_bytes = 0,
                                    .finish = cpu::Finish::kNone});
  }

  /// Calls visit(tap, offset, count) for runs of values of the windows of output pixels [first, first +
  /// pixels) of an image: `tap` is the run's place in columns whose rows lie `row` apart, `offset` its place
  /// in the image, or -1 outside.
  template <class Visit>
  void for_each_run(std::int64_t first, std::int64_t pixels, std::ptrdiff_t row, Visit visit) const {
    for (std::int64_t p = 0; p < pixels; ++p) {
      const int top = static_cast<int>((first + p) / out_.w) * window_.stride_h - window_.padding.top;
      const int left = static_cast<int>((first + p) % out_.w) * window_.stride_w - window_.padding.left;
      const int right = left + window_.kernel_w;
      const int begin = std::clamp(0, left, right);
      const int end = std::clamp(in_.w, begin, right);
      std::ptrdiff_t tap = p * row;
      for (int h = top; h < top + window_.kernel_h; ++h, tap += std::ptrdiff_t{window_.kernel_w} * in_.c) {
        if (h < 0 || h >= in_.h) {
          visit(tap, -1, window_.kernel_w * in_.c);
          continue;
        }
        const std::ptrdiff_t inside = tap + std::ptrdiff_t{begin - left} * in_.c;
        if (begin > left) visit(tap, -1, (begin - left) * in_.c);
        visit(inside, (std::ptrdiff_t{h} * in_.w + begin) * in_.c, (end - begin) * in_.c);
        if (right > end) visit(inside + std::ptrdiff_t{end - begin} * in_.c, -1, (right - end) * in_.c);
      }
    }
  }

  /// The windows of an image's output pixels, rows pitch(depth_) apart.
  void gather(const float* image, std::int64_t first, std::int64_t pixels, float* columns) const {
    for_each_run(first, pixels, pitch(depth_), [&](std::ptrdiff_t tap, std::ptrdiff_t offset, int count) {
      if (offset < 0)
        std::fill_n(columns + tap, count, 0.0f);
      else
        std::copy_n(image + offset, count, columns + tap);
    });
  }

  /// The inverse: every value of a window is added to where it came from. Rows are depth_ apart.
  void scatter(const float* columns, std::int64_t first, std::int64_t pixels, float* image) const {
    for_each_run(first, pixels, depth_, [&](std::ptrdiff_t tap, std::ptrdiff_t offset, int count) {
      if (offset < 0) return;
      for (int i = 0; i < count; ++i) image[offset + i] += columns[tap + i];
    });
  }

  Window window_;
  Weights weights_;
  Shape in_;
  Shape out_;
  int depth_;  ///< R * S * C
  bool pointwise_;
  std::int64_t block_;  ///< output pixels
  AlignedVector<float> packed_forward_;
  AlignedVector<float> packed_backward_;  ///< empty where nobody asks for the gradient of the input
};

}  // namespace

std::unique_ptr<Layer> make_matrix_layer(const Machine& machine, Edge input, Value& output,
                                         const Window& window, Weights weights) {
  return std::make_unique<MatrixLayer>(machine, input, output, window, weights);
}

}  // namespace linnet::train
