// Convolution and Linear: three matrix products, over the windows of a block of pixels.
#include "train/products.h"

namespace linnet::train {
namespace {

/// T: what is multiplied, float or Bf16.
template <class T>
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
        products_(machine, weights.value, out_.c, depth_),
        block_(products_.block(std::max(depth_, out_.c))),
        by_channels_(pointwise_ && machine.threads > 1 && !machine.grids &&
                     4.0 * depth_ * out_.c >
                         static_cast<double>(machine.batch * out_.pixels()) * (depth_ + out_.c)) {
    packed_forward_.resize(products_.packed_size(false));
    if (input.value->needs_gradient) packed_backward_.resize(products_.packed_size(true));
  }

  ScratchSize scratch_size() const override {
    // Float rows are the longest; products of bfloat16 read whole tiles of them.
    const std::int64_t rows = cpu::whole_rows_bf16(block_);
    const std::int64_t dy = rows * pitch(out_.c);
    if (pointwise_)
      return {.x = rows * pitch(in_.c), .dy = dy, .dx = rows * in_.c, .pairs = products_.pairs()};
    return {.x = in_.size(),
            .dy = dy,
            .dx = in_.size(),
            .columns = rows * pitch(depth_),
            .pairs = products_.pairs()};
  }
  std::span<float> d_weight() override { return weights_.gradient; }
  bool has_partials() const override { return !by_channels_; }

  void pack_forward(int thread) override { products_.pack(thread, false, weights_.bias, packed_forward_); }
  void pack_backward(int thread) override {
    if (!packed_backward_.empty()) products_.pack(thread, true, nullptr, packed_backward_);
  }

  void forward(int thread, const Scratch& scratch, Range own) override {
    const Part part = part_of(thread, own, false);
    const auto run = [&](const RowsOf<T>& x, std::int64_t pixel, std::int64_t pixels) {
      float* const z = output_.room(pixel, scratch.dy);
      products_.run(false, x, packed_forward_, weights_.bias, z, pixels, part.panels);
      output_.store(thread, pixel, pixels, z, part.channels);
    };
    if (pointwise_)
      return for_each_block(pixels_of(part.images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        run(fetch_rows(pixel, pixels, scratch), pixel, pixels);
      });
    for (std::int64_t image = part.images.begin; image < part.images.end; ++image) {
      const T* x = fetch_image(image, scratch);
      for_each_block(pixels_of({image, image + 1}), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        run(gather(x, pixel - image * out_.pixels(), pixels, scratch), pixel, pixels);
      });
    }
  }

  void backward(int thread, const Scratch& scratch, Range own) override {
    const Part part = part_of(thread, own, false);
    float* const dw = thread == 0 || by_channels_ ? weights_.gradient.data() : scratch.partial;
    bool accumulate = false;
    const auto add_to_weights = [&](const RowsOf<T>& dz, const RowsOf<T>& x, std::int64_t pixels) {
      products_.weight_gradient(dz, x, pixels, dw, accumulate, scratch.pairs, part.channels);
      accumulate = true;
    };
    const auto output_gradient = [&](std::int64_t pixel, std::int64_t pixels) {
      return products_.fetch_gradient(output_, pixel, pixels, products_.operand(scratch.dy));
    };
    const Edge& input = inputs_[0];
    const Part input_part = part_of(thread, own, true);
    const auto input_gradient = [&](const RowsOf<T>& dz, float* dx, std::int64_t pixels) {
      products_.run(true, dz, packed_backward_, nullptr, dx, pixels, input_part.panels);
    };
    if (pointwise_) {
      for_each_block(pixels_of(part.images), block_, [&](std::int64_t pixel, std::int64_t pixels) {
        const RowsOf<T> dz = output_gradient(pixel, pixels);
        add_to_weights(dz, fetch_rows(pixel, pixels, scratch), pixels);
        if (packed_backward_.empty()) return;
        input_gradient(dz, scratch.dx, pixels);
        input.deliver(thread, pixel, pixels, scratch.dx, input_part.channels);
      });
    } else {
      for (std::int64_t image = part.images.begin; image < part.images.end; ++image) {
        const T* x = fetch_image(image, scratch);
        if (!packed_backward_.empty()) std::fill_n(scratch.dx, in_.size(), 0.0f);
        for_each_block(pixels_of({image, image + 1}), block_, [&](std::int64_t pixel, std::int64_t pixels) {
          const std::int64_t first = pixel - image * out_.pixels();
          const RowsOf<T> dz = output_gradient(pixel, pixels);
          add_to_weights(dz, gather(x, first, pixels, scratch), pixels);
          if (packed_backward_.empty()) return;
          input_gradient(dz, scratch.columns, pixels);
          scatter(scratch.columns, first, pixels, scratch.dx);
        });
        if (!packed_backward_.empty()) input.deliver(thread, image * in_.pixels(), in_.pixels(), scratch.dx);
      }
    }
    // A thread without images.
    if (!accumulate) std::ranges::fill_n(dw, static_cast<std::ptrdiff_t>(weights_.gradient.size()), 0.0f);
  }

 private:
  /// What a thread does: its images and all output channels, or all images and its output channels.
  struct Part {
    Range images;
    Range panels;
    Range channels;
  };
  Part part_of(int thread, Range own, bool transposed) const {
    const int count = products_.panels(transposed);
    const Range panels = by_channels_ ? split(count, thread, machine_.threads) : Range{0, count};
    return {by_channels_ ? Range{0, machine_.images} : own, panels, products_.channels(transposed, panels)};
  }
  Range pixels_of(Range images) const { return {images.begin * out_.pixels(), images.end * out_.pixels()}; }

  RowsOf<T> fetch_rows(std::int64_t pixel, std::int64_t pixels, const Scratch& scratch) const {
    return products_.fetch(*inputs_[0].value, pixel, pixels, products_.operand(scratch.x),
                           products_.row(in_.c));
  }
  const T* fetch_image(std::int64_t image, const Scratch& scratch) const {
    return products_
        .fetch(*inputs_[0].value, image * in_.pixels(), in_.pixels(), products_.operand(scratch.x), in_.c)
        .data;
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

  /// The windows of an image's output pixels.
  RowsOf<T> gather(const T* image, std::int64_t first, std::int64_t pixels, const Scratch& scratch) const {
    const std::ptrdiff_t row = products_.row(depth_);
    T* const columns = products_.operand(scratch.columns);
    for_each_run(first, pixels, row, [&](std::ptrdiff_t tap, std::ptrdiff_t offset, int count) {
      if (offset < 0)
        std::fill_n(columns + tap, count, T{});
      else
        std::copy_n(image + offset, count, columns + tap);
    });
    for (std::int64_t p = 0; p < pixels; ++p)
      std::fill_n(columns + p * row + depth_, products_.zeros(depth_), T{});
    return {columns, row};
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
  Products<T> products_;
  std::int64_t block_;  ///< output pixels
  /// Threads take channels instead of images: for many weights and few pixels it costs less to fetch all
  /// pixels twice than to write and add a gradient of the weights a thread.
  bool by_channels_;
  AlignedVector<T> packed_forward_;
  AlignedVector<T> packed_backward_;  ///< empty where nobody asks for the gradient of the input
};

}  // namespace

std::unique_ptr<Layer> make_matrix_layer(const Machine& machine, Edge input, Value& output,
                                         const Window& window, Weights weights) {
  if (machine.mixed && machine.products)
    return std::make_unique<MatrixLayer<cpu::Bf16>>(machine, input, output, window, weights);
  return std::make_unique<MatrixLayer<float>>(machine, input, output, window, weights);
}

}  // namespace linnet::train
