// Layers of a float graph whose values are stored as T: float32, or half of it.
#include <type_traits>

#include "cpu/kernels/convolution/pack_half.h"
#include "cpu/layer_parts.h"

namespace linnet::cpu {
namespace {

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

template <class T>
constexpr bool kIsHalf = !std::is_same_v<T, float>;
template <class T>
using ConvolutionOf = std::conditional_t<kIsHalf<T>, ConvolutionHalf<T>, ConvolutionF32>;

/// Convolution and Linear: weights in panels, see kernels/convolution.
template <class T>
class ConvolutionLayer final : public KernelLayer<ConvolutionOf<T>, RowLayer> {
 public:
  ConvolutionLayer(const Kernel<ConvolutionOf<T>>& kernel, const FloatTable<T>& table, const Window& window,
                   Shape in, Shape out, const Constant& weight, const Constant& bias, Activation activation,
                   Activation residual_finish, bool gives_real)
      : KernelLayer<ConvolutionOf<T>, RowLayer>(kernel),
        window_(window),
        in_(in),
        out_(out),
        finish_(finish_of(activation)),
        residual_finish_(finish_of(residual_finish)) {
    this->gives_real_ = gives_real;
    if (pads())
      padded_bytes_ = whole_lines(window.kernel_h * padded_row() * static_cast<std::int64_t>(sizeof(T)));
    this->scratch_ = padded_bytes_;
    const float* const weights = weight.values().data();
    const int run = window.kernel_w * in.c;
    if constexpr (kIsHalf<T>) {
      panels_ = count_panels_half(table.layout, out.c);
      packed_ =
          pack_convolution_half<T>(table.layout, out.c, window.kernel_h, run, weights, values_or_null(bias));
      this->weight_bytes_ =
          static_cast<std::int64_t>(packed_.weight.size() * sizeof(T) + packed_.bias.size() * sizeof(float));
      this->scratch_ += whole_lines(scratch_half(table.layout, window.kernel_h * run));
    } else {
      const int depth = window.kernel_h * run;
      panels_ = count_panels(table.width, out.c);
      packed_.resize(packed_size(table.width, out.c, depth));
      pack_convolution_f32(table.width, out.c, depth, weights, values_or_null(bias), packed_.data());
      this->weight_bytes_ = static_cast<std::int64_t>(packed_.size() * sizeof(float));
    }
  }

  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    if (is_pointwise())
      for_each_rectangle(pool, out_.pixels(), panels_, [&](int thread, Range pixels, Range panels) {
        Values<T> own = io;
        const std::ptrdiff_t offset = pixels.begin * out_.c;
        own.a += pixels.begin * in_.c;
        if (io.residual) own.residual += offset;
        own.y += offset;
        own.scratch += thread * this->scratch_;
        run_pixels(own, pixels.end - pixels.begin, panels);
      });
    else
      for_each_rectangle(pool, out_.h, panels_, [&](int thread, Range rows, Range panels) {
        Values<T> own = io;
        const std::ptrdiff_t offset = rows.begin * row_size(out_);
        if (io.residual) own.residual += offset;
        own.y += offset;
        own.scratch += thread * this->scratch_;
        run_window_rows(own, rows, panels);
      });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    const Values<T> all(io);
    if (!is_pointwise()) return run_window_rows(all, rows, {0, panels_});
    Values<T> part = all;
    while (rows.begin < rows.end) {
      const std::int64_t slot = rows.begin % ring;
      const std::int64_t count = std::min(rows.end - rows.begin, ring - slot);
      part.a = all.a + slot * row_size(in_);
      run_pixels(part, count * out_.w, {0, panels_});
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
  }

  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    ConvolutionOf<T> a = arguments(Values<T>(bytes), n, {0, panels_});
    a.x_pixel = a.x_run = a.run = window_.kernel_h * window_.kernel_w * in_.c;
    a.runs = 1;
    this->run_(a);
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

  /// `pixels` output pixels whose windows follow one another from io.a on.
  void run_pixels(const Values<T>& io, std::int64_t pixels, Range panels) const {
    this->run_(arguments(io, pixels, panels));
  }
  ConvolutionOf<T> arguments(const Values<T>& io, std::int64_t pixels, Range panels) const {
    ConvolutionOf<T> a = {};
    a.x = io.a;
    a.x_pixel = std::ptrdiff_t{window_.stride_w} * in_.c;
    a.x_run = pads() ? padded_row() : row_size(in_);
    a.runs = window_.kernel_h;
    a.run = window_.kernel_w * in_.c;
    a.residual = io.residual;
    a.pixels = static_cast<int>(pixels);
    a.k = out_.c;
    a.panel_begin = static_cast<int>(panels.begin);
    a.panel_end = static_cast<int>(panels.end);
    a.finish = io.residual ? residual_finish_ : finish_;
    if constexpr (kIsHalf<T>) {
      a.bias = packed_.bias.data();
      a.packed = packed_.weight.data();
      a.scratch = io.scratch + padded_bytes_;
      if (this->gives_real_) a.real = reinterpret_cast<float*>(io.y);
    } else {
      a.packed = packed_.data();
    }
    a.y = io.y;
    return a;
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image.
  void run_window_rows(const Values<T>& io, Range rows, Range panels) const {
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      const std::ptrdiff_t offset = (ho - rows.begin) * row_size(out_);
      Values<T> row = io;
      row.a = window_rows(io, static_cast<int>(ho));
      if (io.residual) row.residual += offset;
      row.y += offset;
      run_pixels(row, out_.w, panels);
    }
  }

  /// The input rows of output row ho: those of the image, or where it is padded a copy with the zeros around
  /// it.
  const T* window_rows(const Values<T>& io, int ho) const {
    const int top = ho * window_.stride_h - window_.padding.top;
    const std::ptrdiff_t row = row_size(in_);
    if (!pads()) return io.a + top * row;
    auto* const copy = reinterpret_cast<T*>(io.scratch);
    T* y = copy;
    for (int h = top; h < top + window_.kernel_h; ++h) {
      if (h < 0 || h >= in_.h) {
        y = std::fill_n(y, padded_row(), T{});
        continue;
      }
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.left} * in_.c, T{});
      y = std::copy_n(io.a + h * row, row, y);
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.right} * in_.c, T{});
    }
    return copy;
  }

  Window window_;
  Shape in_;
  Shape out_;
  Finish finish_;
  Finish residual_finish_;
  int panels_ = 0;
  std::int64_t padded_bytes_ = 0;  ///< of window_rows()
  std::conditional_t<kIsHalf<T>, PackedConvolutionHalf<T>, AlignedVector<float>> packed_;
};

template <class T>
class DepthwiseLayer final : public KernelLayer<DepthwiseOf<T>, RowLayer> {
 public:
  DepthwiseLayer(const Depthwise& op, Shape in, Shape out, const FloatTable<T>& kernels)
      : KernelLayer<DepthwiseOf<T>, RowLayer>(choose(op.window, in, kernels)), op_(op), in_(in), out_(out) {
    this->weight_bytes_ = static_cast<std::int64_t>(op.bias.size() * sizeof(float));
    if constexpr (kIsHalf<T>) {
      if (pairs(op.window, in, kernels)) {
        packed_ =
            pack_depthwise_pairs<T>(op.window.kernel_h, op.window.stride_h, in.c, op.weight.values().data());
      } else {
        packed_.resize(op.weight.size());
        round_half(op.weight.values(), packed_.data());
      }
      this->weight_bytes_ += static_cast<std::int64_t>(packed_.size() * sizeof(T));
    } else {
      this->weight_bytes_ += static_cast<std::int64_t>(op.weight.size() * sizeof(T));
    }
  }

  void run(const LayerIo& io, ThreadPool& pool) const override {
    pool.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      LayerIo own = io;
      own.y += begin * row_size(out_) * static_cast<std::ptrdiff_t>(sizeof(T));
      run_rows(own, in_.h, {begin, end});
    });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    this->run_(arguments(Values<T>(io), ring * in_.w, rows));
  }

  void run_columns(const LayerIo& io, int ring, int row, Range columns) const override {
    DepthwiseOf<T> a = arguments(Values<T>(io), ring, {row, row + 1});
    a.pad_left -= static_cast<int>(columns.begin) * a.stride_w;
    a.wo = static_cast<int>(columns.end - columns.begin);
    this->run_(a);
  }

  int input_rows() const override { return in_.h; }

 private:
  DepthwiseOf<T> arguments(const Values<T>& io, int ring, Range rows) const {
    return {.x = io.a,
            .ring = ring,
            .h = in_.h,
            .w = in_.w,
            .c = in_.c,
            .weight = weight(),
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
  const T* weight() const {
    if constexpr (kIsHalf<T>)
      return packed_.data();
    else
      return op_.weight.values().data();
  }
  /// The kernel that multiplies pairs of rows, where there is one for that layer.
  static const Kernel<DepthwiseOf<T>>* pairs(const Window& window, const Shape& in,
                                             const FloatTable<T>& kernels) {
    if constexpr (kIsHalf<T>) {
      const int kernel = window.kernel_h == window.kernel_w ? window.kernel_w : 0;
      const int stride = window.stride_h == window.stride_w ? window.stride_w : 0;
      if ((kernel != 3 && kernel != 5) || (stride != 1 && stride != 2) || in.c < kPairsChannels)
        return nullptr;
      const Kernel<DepthwiseOf<T>>& found = kernels.depthwise_pairs[kernel == 5][stride == 2];
      return found.run ? &found : nullptr;
    }
    return nullptr;
  }
  static const Kernel<DepthwiseOf<T>>& choose(const Window& window, const Shape& in,
                                              const FloatTable<T>& kernels) {
    if (const auto* found = pairs(window, in, kernels)) return *found;
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
  AlignedVector<T> packed_;  ///< of half; float32's are the graph's own
};

template <class T>
class AddLayer final : public KernelLayer<AddOf<T>> {
 public:
  AddLayer(const Add& op, Shape shape, const FloatKernels<T>& kernels)
      : KernelLayer<AddOf<T>>(kernels.add), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    for_each_part<T>(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      this->run_({io.a + begin, io.b + begin, io.y + begin, end - begin, finish_});
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Values<T> io(bytes);
    this->run_({io.a, io.b, io.y, n * shape_.c, finish_});
  }

 private:
  Shape shape_;
  Finish finish_;
};

template <class T>
class ActivateLayer final : public KernelLayer<ActivateOf<T>> {
 public:
  ActivateLayer(const Activate& op, Shape shape, const FloatKernels<T>& kernels)
      : KernelLayer<ActivateOf<T>>(kernels.activate), shape_(shape), finish_(finish_of(op.activation)) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    for_each_part<T>(pool, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      this->run_({io.a + begin, io.y + begin, end - begin, finish_});
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Values<T> io(bytes);
    this->run_({io.a, io.y, n * shape_.c, finish_});
  }

 private:
  Shape shape_;
  Finish finish_;
};

template <class T>
class MultiplyLayer final : public KernelLayer<MultiplyOf<T>> {
 public:
  MultiplyLayer(Shape shape, const FloatKernels<T>& kernels)
      : KernelLayer<MultiplyOf<T>>(kernels.multiply), shape_(shape) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      const std::ptrdiff_t offset = begin * shape_.c;
      this->run_({io.a + offset, io.b, io.y + offset, end - begin, shape_.c});
    };
    if (shape_.size() < kWorthSharing) return part(0, shape_.pixels());
    pool.parallel_for(shape_.pixels(), part);
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Values<T> io(bytes);
    this->run_({io.a, io.b, io.y, n, shape_.c});
  }

 private:
  Shape shape_;
};

template <class T>
class PoolLayer final : public KernelLayer<PoolOf<T>> {
 public:
  PoolLayer(Shape in, const FloatKernels<T>& kernels) : KernelLayer<PoolOf<T>>(kernels.pool), in_(in) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      this->run_({io.a, io.y, in_.pixels(), in_.c, static_cast<int>(begin), static_cast<int>(end)});
    };
    if (in_.size() < kWorthSharing) return part(0, in_.c);
    constexpr std::int64_t kLine = kCacheLine / sizeof(T);
    pool.parallel_for((in_.c + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
      part(begin * kLine, std::min<std::int64_t>(end * kLine, in_.c));
    });
  }

 private:
  Shape in_;
};

template <class T>
class PadLayer final : public KernelLayer<PadOf<T>> {
 public:
  PadLayer(const Pad& op, Shape in, Shape out, const FloatKernels<T>& kernels)
      : KernelLayer<PadOf<T>>(kernels.pad), padding_(op.padding), in_(in), out_(out) {}
  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Values<T> io(bytes);
    pool.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      this->run_({io.a, in_.h, in_.w, in_.c, padding_.top, padding_.left, padding_.right, io.y,
                  static_cast<int>(begin), static_cast<int>(end)});
    });
  }

 private:
  Padding padding_;
  Shape in_;
  Shape out_;
};

template <class T>
class SoftmaxLayer final : public KernelLayer<SoftmaxF32> {
 public:
  SoftmaxLayer(Shape shape, const FloatTable<T>& table, bool gives_real)
      : KernelLayer(table.softmax), table_(table), classes_(shape.c) {
    gives_real_ = gives_real;
    if constexpr (kIsHalf<T>) scratch_ = whole_lines(classes_ * static_cast<std::int64_t>(sizeof(float)));
  }
  void run(const LayerIo& bytes, ThreadPool&) const override { run_windows(bytes, 1); }
  void run_windows(const LayerIo& bytes, std::int64_t) const override {
    const Values<T> io(bytes);
    if constexpr (kIsHalf<T>) {
      auto* const real =
          gives_real_ ? reinterpret_cast<float*>(bytes.y) : reinterpret_cast<float*>(io.scratch);
      table_.to_float.run({io.a, real, classes_});
      run_({real, real, classes_});
      if (!gives_real_) table_.from_float.run({real, io.y, classes_});
    } else {
      run_({io.a, io.y, classes_});
    }
  }

 private:
  const FloatTable<T>& table_;
  int classes_;
};

/// Whether the scores are this node's, and few enough to be written in float32 as they are made.
bool gives_scores(const Graph& graph, LayerNode which) {
  return which.id == graph.output && !which.taken_over && graph[which.id].shape.pixels() == 1;
}

}  // namespace

template <class T>
std::unique_ptr<Layer> make_layer_float(const Graph& graph, LayerNode which, const FloatTable<T>& kernels) {
  const Node& node = graph[which.id];
  const Shape& out = node.shape;
  const Shape in = node.inputs.empty() ? Shape{} : graph[node.inputs[0]].shape;
  const Activation residual_finish =
      which.taken_over ? std::get<Add>(graph[*which.taken_over].op).activation : Activation::kNone;
  const bool gives_real = kIsHalf<T> && gives_scores(graph, which);
  return std::visit(Overloaded{
                        [&](const Convolution& op) -> std::unique_ptr<Layer> {
                          const Window& window = op.window;
                          const bool pointwise = window.kernel_h == 1 && window.kernel_w == 1;
                          return std::make_unique<ConvolutionLayer<T>>(
                              pointwise ? kernels.pointwise : kernels.convolution, kernels, window, in, out,
                              op.weight, op.bias, op.activation, residual_finish, gives_real);
                        },
                        [&](const Linear& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<ConvolutionLayer<T>>(kernels.linear, kernels, Window{}, in,
                                                                       out, op.weight, op.bias, op.activation,
                                                                       residual_finish, gives_real);
                        },
                        [&](const Depthwise& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<DepthwiseLayer<T>>(op, in, out, kernels);
                        },
                        [&](const Activate& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<ActivateLayer<T>>(op, out, kernels);
                        },
                        [&](const Add& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<AddLayer<T>>(op, out, kernels);
                        },
                        [&](const Multiply&) -> std::unique_ptr<Layer> {
                          return std::make_unique<MultiplyLayer<T>>(out, kernels);
                        },
                        [&](const GlobalAveragePool&) -> std::unique_ptr<Layer> {
                          return std::make_unique<PoolLayer<T>>(in, kernels);
                        },
                        [&](const Pad& op) -> std::unique_ptr<Layer> {
                          return std::make_unique<PadLayer<T>>(op, in, out, kernels);
                        },
                        [&](const Softmax&) -> std::unique_ptr<Layer> {
                          return std::make_unique<SoftmaxLayer<T>>(out, kernels, gives_real);
                        },
                        // canonical() leaves none of these.
                        [](const BatchNorm&) -> std::unique_ptr<Layer> { return nullptr; },
                        [](const Identity&) -> std::unique_ptr<Layer> { return nullptr; },
                        [](const Input&) -> std::unique_ptr<Layer> { return nullptr; },
                    },
                    node.op);
}

template std::unique_ptr<Layer> make_layer_float<float>(const Graph&, LayerNode, const Kernels&);
template std::unique_ptr<Layer> make_layer_float<Bf16>(const Graph&, LayerNode, const HalfKernels<Bf16>&);
template std::unique_ptr<Layer> make_layer_float<Fp16>(const Graph&, LayerNode, const HalfKernels<Fp16>&);

}  // namespace linnet::cpu
