#include "cpu/layer.h"

#include <algorithm>

#include "base/aligned.h"

namespace linnet::cpu {
namespace {

/// Fewer values than this are not worth waking a thread for.
constexpr std::int64_t kWorthSharing = 8192;

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

/// Values in one row.
std::ptrdiff_t row_size(const Shape& shape) { return std::ptrdiff_t{shape.w} * shape.c; }

/// A layer around one kernel.
template <class Arguments, class Base = Layer>
class KernelLayer : public Base {
 public:
  explicit KernelLayer(const Kernel<Arguments>& kernel) : run_(kernel.run) {
    this->kernel_ = std::string(kernel.isa) + "::" + kernel.name;
  }

 protected:
  void (*run_)(const Arguments&);
};

/// Cuts `rows` x `columns` of work into one rectangle a thread, so that the largest is as small as can be.
struct Grid {
  int row_parts;
  int column_parts;
};

Grid choose_grid(std::int64_t rows, std::int64_t columns, int threads) {
  Grid best = {1, 1};
  std::int64_t best_cost = -1;
  for (int column_parts = 1; column_parts <= threads; ++column_parts) {
    const int row_parts = threads / column_parts;
    // Each rectangle loads its weights once a few rows: as if it had some rows more.
    constexpr std::int64_t kLoadingRows = 4;
    const std::int64_t cost =
        ((rows + row_parts - 1) / row_parts + kLoadingRows) * ((columns + column_parts - 1) / column_parts);
    if (best_cost >= 0 && cost >= best_cost) continue;
    best_cost = cost;
    best = {row_parts, column_parts};
  }
  return best;
}

/// Calls work(rows, columns) for every rectangle of the grid, each on a thread.
template <class Work>
void for_each_rectangle(ThreadPool& pool, std::int64_t rows, std::int64_t columns, Work work) {
  const Grid grid = choose_grid(rows, columns, pool.threads());
  pool.run([&](int thread) {
    if (thread >= grid.row_parts * grid.column_parts) return;
    const Range row = split(rows, thread / grid.column_parts, grid.row_parts);
    const Range column = split(columns, thread % grid.column_parts, grid.column_parts);
    if (row.begin < row.end && column.begin < column.end) work(thread, row, column);
  });
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
    if (pads()) scratch_ = std::int64_t{window.kernel_h} * padded_row();
  }

  void run(const LayerIo& io, ThreadPool& pool) const override {
    if (is_pointwise())
      for_each_rectangle(pool, out_.pixels(), panels_, [&](int, Range pixels, Range panels) {
        const std::ptrdiff_t offset = pixels.begin * out_.c;
        run_pixels(io.a + pixels.begin * in_.c, io.residual ? io.residual + offset : nullptr, io.y + offset,
                   pixels.end - pixels.begin, panels);
      });
    else
      for_each_rectangle(pool, out_.h, panels_, [&](int thread, Range rows, Range panels) {
        LayerIo own = io;
        const std::ptrdiff_t offset = rows.begin * row_size(out_);
        if (io.residual) own.residual += offset;
        own.y += offset;
        own.scratch += thread * scratch_;
        run_window_rows(own, rows, panels);
      });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    if (!is_pointwise()) return run_window_rows(io, rows, {0, panels_});
    LayerIo part = io;
    while (rows.begin < rows.end) {
      const std::int64_t slot = rows.begin % ring;
      const std::int64_t count = std::min(rows.end - rows.begin, ring - slot);
      run_pixels(io.a + slot * row_size(in_), part.residual, part.y, count * out_.w, {0, panels_});
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
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
    run_({.x = x,
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
          .finish = residual ? residual_finish_ : finish_});
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image.
  void run_window_rows(const LayerIo& io, Range rows, Range panels) const {
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      const std::ptrdiff_t offset = (ho - rows.begin) * row_size(out_);
      run_pixels(window_rows(io, static_cast<int>(ho)), io.residual ? io.residual + offset : nullptr,
                 io.y + offset, out_.w, panels);
    }
  }

  /// The input rows of output row ho: those of the image, or where it is padded a copy with the zeros around
  /// it.
  const float* window_rows(const LayerIo& io, int ho) const {
    const int top = ho * window_.stride_h - window_.padding.top;
    const std::ptrdiff_t row = row_size(in_);
    if (!pads()) return io.a + top * row;
    float* y = io.scratch;
    for (int h = top; h < top + window_.kernel_h; ++h) {
      if (h < 0 || h >= in_.h) {
        y = std::fill_n(y, padded_row(), 0.0f);
        continue;
      }
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.left} * in_.c, 0.0f);
      y = std::copy_n(io.a + h * row, row, y);
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.right} * in_.c, 0.0f);
    }
    return io.scratch;
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
      own.y += begin * row_size(out_);
      run_rows(own, in_.h, {begin, end});
    });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    run_({.x = io.a,
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
          .finish = finish_of(op_.activation)});
  }

  int input_rows() const override { return in_.h; }

 private:
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

/// Calls work(begin, end) for parts of n values, on the threads where that is worth it. Parts begin on
/// multiples of a cache line's floats.
template <class Work>
void for_each_part(ThreadPool& pool, std::int64_t n, Work work) {
  if (n < kWorthSharing) return work(std::int64_t{0}, n);
  constexpr std::int64_t kLine = kCacheLine / sizeof(float);
  pool.parallel_for((n + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
    work(begin * kLine, std::min(end * kLine, n));
  });
}

class AddLayer final : public KernelLayer<AddF32> {
 public:
  AddLayer(const Add& op, Shape shape, const Kernels& kernels)
      : KernelLayer(kernels.add), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& io, ThreadPool& pool) const override {
    for_each_part(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      run_({io.a + begin, io.b + begin, io.y + begin, end - begin, finish_});
    });
  }

 private:
  Shape shape_;
  Finish finish_;
};

class ActivateLayer final : public KernelLayer<ActivateF32> {
 public:
  ActivateLayer(const Activate& op, Shape shape, const Kernels& kernels)
      : KernelLayer(kernels.activate), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& io, ThreadPool& pool) const override {
    for_each_part(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      run_({io.a + begin, io.y + begin, end - begin, finish_});
    });
  }

 private:
  Shape shape_;
  Finish finish_;
};

class MultiplyLayer final : public KernelLayer<MultiplyF32> {
 public:
  MultiplyLayer(Shape shape, const Kernels& kernels) : KernelLayer(kernels.multiply), shape_(shape) {}
  void run(const LayerIo& io, ThreadPool& pool) const override {
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      const std::ptrdiff_t offset = begin * shape_.c;
      run_({io.a + offset, io.b, io.y + offset, end - begin, shape_.c});
    };
    if (shape_.size() < kWorthSharing) return part(0, shape_.pixels());
    pool.parallel_for(shape_.pixels(), part);
  }

 private:
  Shape shape_;
};

class PoolLayer final : public KernelLayer<PoolF32> {
 public:
  PoolLayer(Shape in, const Kernels& kernels) : KernelLayer(kernels.pool), in_(in) {}
  void run(const LayerIo& io, ThreadPool& pool) const override {
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
  void run(const LayerIo& io, ThreadPool& pool) const override {
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
  void run(const LayerIo& io, ThreadPool&) const override { run_({io.a, io.y, classes_}); }

 private:
  int classes_;
};

}  // namespace

std::unique_ptr<Layer> make_layer(const Node& node, std::span<const Shape> inputs, const Kernels& kernels,
                                  Activation residual_finish) {
  const Shape& out = node.shape;
  return std::visit(Overloaded{
                        [&](const Convolution& op) -> std::unique_ptr<Layer> {
                          const Window& window = op.window;
                          const bool pointwise = window.kernel_h == 1 && window.kernel_w == 1;
                          return std::make_unique<ConvolutionLayer>(
                              pointwise ? kernels.pointwise : kernels.convolution, kernels.width, window,
                              inputs[0], out, op.weight, op.bias, op.activation, residual_finish);
                        },
                        [&](const Linear& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<ConvolutionLayer>(kernels.linear, kernels.width, Window{},
                                                                    inputs[0], out, op.weight, op.bias,
                                                                    op.activation, residual_finish);
                        },
                        [&](const Depthwise& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<DepthwiseLayer>(op, inputs[0], out, kernels);
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
                          return std::make_unique<PoolLayer>(inputs[0], kernels);
                        },
                        [&](const Pad& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<PadLayer>(op, inputs[0], out, kernels);
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
