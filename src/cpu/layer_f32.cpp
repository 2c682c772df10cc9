// Layers of a float32 graph.
#include "cpu/layer_parts.h"

namespace linnet::cpu {
namespace {

using Io = Values<float>;

Finish finish_of(Activation activation) {
  switch (activation) {
    case Activation::kNone: return Finish::kNone;
    case Activation::kRelu: return Finish::kRelu;
    case Activation::kRelu6: return Finish::kRelu6;
    case Activation::kHardSwish: return Finish::kHardSwish;
    case Activation::kHardSigmoid: return Finish::kHardSigmoid;
  }
  return Finish::kNone;
}

const float* values_or_null(const Constant& constant) {
  return constant.absent() ? nullptr : constant.values().data();
}

/// Convolution and Linear: weights in panels, see kernels/convolution.
class ConvolutionLayer final : public KernelLayer<ConvolutionF32, RowLayer> {
 public:
  ConvolutionLayer(const Kernel<ConvolutionF32>& kernel, int width, const Window& window, Shape in, Shape out,
                   const Constant& weight, const Constant& bias, Activation activation,
                   Activation residual_finish)
      : KernelLayer(kernel),
        window_(window),
        in_(in),
        out_(out),
        finish_(finish_of(activation)),
        residual_finish_(finish_of(residual_finish)),
        panels_(count_panels(width, out.c)) {
    const int depth = window.kernel_h * window.kernel_w * in.c;
    packed_.resize(packed_size(width, out.c, depth));
    pack_convolution_f32(width, out.c, depth, weight.values().data(), values_or_null(bias), packed_.data());
    weight_bytes_ = static_cast<std::int64_t>(packed_.size() * sizeof(float));
    if (pads())
      scratch_ = std::int64_t{window.kernel_h} * padded_row() * static_cast<std::int64_t>(sizeof(float));
  }

  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    if (is_pointwise())
      for_each_rectangle(pool, out_.pixels(), panels_, [&](int, Range pixels, Range panels) {
        const std::ptrdiff_t offset = pixels.begin * out_.c;
        run_pixels(io.a + pixels.begin * in_.c, io.residual ? io.residual + offset : nullptr, io.y + offset,
                   pixels.end - pixels.begin, panels);
      });
    else
      for_each_rectangle(pool, out_.h, panels_, [&](int thread, Range rows, Range panels) {
        Io own = io;
        const std::ptrdiff_t offset = rows.begin * row_size(out_);
        if (io.residual) own.residual += offset;
        own.y += offset;
        own.scratch += thread * scratch_;
        run_window_rows(own, rows, panels);
      });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    Io part(io);
    if (!is_pointwise()) return run_window_rows(part, rows, {0, panels_});
    while (rows.begin < rows.end) {
      const std::int64_t slot = rows.begin % ring;
      const std::int64_t count = std::min(rows.end - rows.begin, ring - slot);
      run_pixels(part.a + slot * row_size(in_), part.residual, part.y, count * out_.w, {0, panels_});
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
  }

  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    const int depth = window_.kernel_h * window_.kernel_w * in_.c;
    ConvolutionF32 a = arguments(io.a, io.residual, io.y, n, {0, panels_});
    a.x_pixel = a.x_run = a.run = depth;
    a.runs = 1;
    run_(a);
  }

  int input_rows() const override { return in_.h; }

 private:
  bool pads() const { return window_.padding != Padding{}; }
  /// All pixels follow one another, over the ends of rows too.
  bool is_pointwise() const {
    return window_.kernel_h == 1 && window_.kernel_w == 1 && window_.stride_h == 1 && window_.stride_w == 1 &&
           !pads();
  }
  std::ptrdiff_t padded_row() const {
    return (std::ptrdiff_t{window_.padding.left} + in_.w + window_.padding.right) * in_.c;
  }

  /// `pixels` output pixels whose windows follow one another from x on.
  void run_pixels(const float* x, const float* residual, float* y, std::int64_t pixels, Range panels) const {
    run_(arguments(x, residual, y, pixels, panels));
  }
  ConvolutionF32 arguments(const float* x, const float* residual, float* y, std::int64_t pixels,
                           Range panels) const {
    return {.x = x,
            .x_pixel = std::ptrdiff_t{window_.stride_w} * in_.c,
            .x_run = pads() ? padded_row() : row_size(in_),
            .runs = window_.kernel_h,
            .run = window_.kernel_w * in_.c,
            .packed = packed_.data(),
            .residual = residual,
            .y = y,
            .pixels = static_cast<int>(pixels),
            .k = out_.c,
            .panel_begin = static_cast<int>(panels.begin),
            .panel_end = static_cast<int>(panels.end),
            .finish = residual ? residual_finish_ : finish_};
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image.
  void run_window_rows(const Io& io, Range rows, Range panels) const {
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      const std::ptrdiff_t offset = (ho - rows.begin) * row_size(out_);
      run_pixels(window_rows(io, static_cast<int>(ho)), io.residual ? io.residual + offset : nullptr,
                 io.y + offset, out_.w, panels);
    }
  }

  /// The input rows of output row ho: those of the image, or where it is padded a copy with the zeros around
  /// it.
  const float* window_rows(const Io& io, int ho) const {
    const int top = ho * window_.stride_h - window_.padding.top;
    const std::ptrdiff_t row = row_size(in_);
    if (!pads()) return io.a + top * row;
    auto* const copy = reinterpret_cast<float*>(io.scratch);
    float* y = copy;
    for (int h = top; h < top + window_.kernel_h; ++h) {
      if (h < 0 || h >= in_.h) {
        y = std::fill_n(y, padded_row(), 0.0f);
        continue;
      }
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.left} * in_.c, 0.0f);
      y = std::copy_n(io.a + h * row, row, y);
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.right} * in_.c, 0.0f);
    }
    return copy;
  }

  Window window_;
  Shape in_;
  Shape out_;
  Finish finish_;
  Finish residual_finish_;
  int panels_;
  AlignedVector<float> packed_;
};

class DepthwiseLayer final : public KernelLayer<DepthwiseF32, RowLayer> {
 public:
  DepthwiseLayer(const Depthwise& op, Shape in, Shape out, const Kernels& kernels)
      : KernelLayer(choose(op.window, kernels)), op_(op), in_(in), out_(out) {
    weight_bytes_ = static_cast<std::int64_t>((op.weight.size() + op.bias.size()) * sizeof(float));
  }

  void run(const LayerIo& io, ThreadPool& pool) const override {
    pool.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      LayerIo own = io;
      own.y += begin * row_size(out_) * static_cast<std::ptrdiff_t>(sizeof(float));
      run_rows(own, in_.h, {begin, end});
    });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    run_(arguments(Io(io), ring * in_.w, rows));
  }

  void run_columns(const LayerIo& io, int ring, int row, Range columns) const override {
    DepthwiseF32 a = arguments(Io(io), ring, {row, row + 1});
    a.pad_left -= static_cast<int>(columns.begin) * a.stride_w;
    a.wo = static_cast<int>(columns.end - columns.begin);
    run_(a);
  }

  int input_rows() const override { return in_.h; }

 private:
  DepthwiseF32 arguments(const Io& io, int ring, Range rows) const {
    return {.x = io.a,
            .ring = ring,
            .h = in_.h,
            .w = in_.w,
            .c = in_.c,
            .weight = op_.weight.values().data(),
            .bias = values_or_null(op_.bias),
            .kernel_h = op_.window.kernel_h,
            .kernel_w = op_.window.kernel_w,
            .stride_h = op_.window.stride_h,
            .stride_w = op_.window.stride_w,
            .pad_top = op_.window.padding.top,
            .pad_left = op_.window.padding.left,
            .y = io.y,
            .wo = out_.w,
            .row_begin = static_cast<int>(rows.begin),
            .row_end = static_cast<int>(rows.end),
            .finish = finish_of(op_.activation)};
  }
  static const Kernel<DepthwiseF32>& choose(const Window& window, const Kernels& kernels) {
    const int kernel = window.kernel_h == window.kernel_w ? window.kernel_w : 0;
    const int stride = window.stride_h == window.stride_w ? window.stride_w : 0;
    if (kernel == 3 && stride == 1) return kernels.depthwise3_stride1;
    if (kernel == 3 && stride == 2) return kernels.depthwise3_stride2;
    if (kernel == 5 && stride == 1) return kernels.depthwise5_stride1;
    if (kernel == 5 && stride == 2) return kernels.depthwise5_stride2;
    return kernels.depthwise_any;
  }

  Depthwise op_;
  Shape in_;
  Shape out_;
};

class AddLayer final : public KernelLayer<AddF32> {
 public:
  AddLayer(const Add& op, Shape shape, const Kernels& kernels)
      : KernelLayer(kernels.add), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    for_each_part<float>(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      run_({io.a + begin, io.b + begin, io.y + begin, end - begin, finish_});
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    run_({io.a, io.b, io.y, n * shape_.c, finish_});
  }

 private:
  Shape shape_;
  Finish finish_;
};

class ActivateLayer final : public KernelLayer<ActivateF32> {
 public:
  ActivateLayer(const Activate& op, Shape shape, const Kernels& kernels)
      : KernelLayer(kernels.activate), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    for_each_part<float>(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      run_({io.a + begin, io.y + begin, end - begin, finish_});
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    run_({io.a, io.y, n * shape_.c, finish_});
  }

 private:
  Shape shape_;
  Finish finish_;
};

class MultiplyLayer final : public KernelLayer<MultiplyF32> {
 public:
  MultiplyLayer(Shape shape, const Kernels& kernels) : KernelLayer(kernels.multiply), shape_(shape) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      const std::ptrdiff_t offset = begin * shape_.c;
      run_({io.a + offset, io.b, io.y + offset, end - begin, shape_.c});
    };
    if (shape_.size() < kWorthSharing) return part(0, shape_.pixels());
    pool.parallel_for(shape_.pixels(), part);
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    run_({io.a, io.b, io.y, n, shape_.c});
  }

 private:
  Shape shape_;
};

class PoolLayer final : public KernelLayer<PoolF32> {
 public:
  PoolLayer(Shape in, const Kernels& kernels) : KernelLayer(kernels.pool), in_(in) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      run_({io.a, io.y, in_.pixels(), in_.c, static_cast<int>(begin), static_cast<int>(end)});
    };
    if (in_.size() < kWorthSharing) return part(0, in_.c);
    constexpr std::int64_t kLine = kCacheLine / sizeof(float);
    pool.parallel_for((in_.c + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
      part(begin * kLine, std::min<std::int64_t>(end * kLine, in_.c));
    });
  }

 private:
  Shape in_;
};

class PadLayer final : public KernelLayer<PadF32> {
 public:
  PadLayer(const Pad& op, Shape in, Shape out, const Kernels& kernels)
      : KernelLayer(kernels.pad), padding_(op.padding), in_(in), out_(out) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    pool.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      run_({io.a, in_.h, in_.w, in_.c, padding_.top, padding_.left, padding_.right, io.y,
            static_cast<int>(begin), static_cast<int>(end)});
    });
  }

 private:
  Padding padding_;
  Shape in_;
  Shape out_;
};

class SoftmaxLayer final : public KernelLayer<SoftmaxF32> {
 public:
  SoftmaxLayer(Shape shape, const Kernels& kernels) : KernelLayer(kernels.softmax), classes_(shape.c) {}
  void run(const LayerIo& bytes, ThreadPool&) const override {
    const Io io(bytes);
    run_({io.a, io.y, classes_});
  }
  void run_windows(const LayerIo& bytes, std::int64_t) const override {
    const Io io(bytes);
    run_({io.a, io.y, classes_});
  }

 private:
  int classes_;
};

}  // namespace

std::unique_ptr<Layer> make_layer_f32(const Graph& graph, LayerNode which, const Kernels& kernels) {
  const Node& node = graph[which.id];
  const Shape& out = node.shape;
  const Shape in = node.inputs.empty() ? Shape{} : graph[node.inputs[0]].shape;
  const Activation residual_finish =
      which.taken_over ? std::get<Add>(graph[*which.taken_over].op).activation : Activation::kNone;
  return std::visit(Overloaded{
                        [&](const Convolution& op) -> std::unique_ptr<Layer> {
                          const Window& window = op.window;
                          const bool pointwise = window.kernel_h == 1 && window.kernel_w == 1;
                          return std::make_unique<ConvolutionLayer>(
                              pointwise ? kernels.pointwise : kernels.convolution, kernels.width, window, in,
                              out, op.weight, op.bias, op.activation, residual_finish);
                        },
                        [&](const Linear& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<ConvolutionLayer>(kernels.linear, kernels.width, Window{},
                                                                    in, out, op.weight, op.bias,
                                                                    op.activation, residual_finish);
                        },
                        [&](const Depthwise& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<DepthwiseLayer>(op, in, out, kernels);
                        },
                        [&](const Activate& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<ActivateLayer>(op, out, kernels);
                        },
                        [&](const Add& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<AddLayer>(op, out, kernels);
                        },
                        [&](const Multiply&) -> std::unique_ptr<Layer> {
                          return std::make_unique<MultiplyLayer>(out, kernels);
                        },
                        [&](const GlobalAveragePool&) -> std::unique_ptr<Layer> {
                          return std::make_unique<PoolLayer>(in, kernels);
                        },
                        [&](const Pad& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<PadLayer>(op, in, out, kernels);
                        },
                        [&](const Softmax&) -> std::unique_ptr<Layer> {
                          return std::make_unique<SoftmaxLayer>(out, kernels);
                        },
                        // canonical() leaves none of these.
                        [](const BatchNorm&) -> std::unique_ptr<Layer> { return nullptr; },
                        [](const Identity&) -> std::unique_ptr<Layer> { return nullptr; },
                        [](const Input&) -> std::unique_ptr<Layer> { return nullptr; },
                    },
                    node.op);
}

}  // namespace linnet::cpu
