// Layers of a float graph whose values are stored as T: float32, or half of it.
#include <type_traits>
#include <variant>

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

/// A layer fetches a float of later layers' weights every so many multiply-adds at most: half of what a
/// memory gives.
constexpr std::int64_t kFetchMacs = 28;

/// Windows that reach over the edge of the image are copied so many at a time: a tile.
constexpr int kCopiedWindows = 14;

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
        residual_finish_(finish_of(residual_finish)),
        depth_(window.kernel_h * window.kernel_w * in.c),
        weight_(kIsHalf<T> ? Constant() : weight),
        bias_(kIsHalf<T> ? Constant() : bias) {
    this->gives_real_ = gives_real;
    this->shared_ = is_worth_sharing(out.pixels(), out.c, window.kernel_h * window.kernel_w * in.c);
    if (pads())
      copied_bytes_ =
          whole_lines(std::int64_t{kCopiedWindows} * depth_ * static_cast<std::int64_t>(sizeof(T)));
    this->scratch_ = copied_bytes_;
    if constexpr (kIsHalf<T>) {
      panels_ = count_panels_half(table.layout, out.c);
      packed_ = pack_convolution_half<T>(table.layout, out.c, window.kernel_h, window.kernel_w * in.c,
                                         weight.values().data(), values_or_null(bias));
      this->weight_bytes_ =
          static_cast<std::int64_t>(packed_.weight.size() * sizeof(T) + packed_.bias.size() * sizeof(float));
      this->scratch_ += whole_lines(scratch_half(table.layout, window.kernel_h, depth_));
    } else {
      width_ = table.width;
      panels_ = count_panels(width_, out.c);
      this->weight_bytes_ = static_cast<std::int64_t>(packed_size(width_, out.c, depth_) * sizeof(float));
    }
  }

  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    if (is_pointwise())
      in_rectangle(worker, grid_costs(out_.pixels()), [&](int thread, Range pixels, Range panels) {
        Values<T> own = io;
        const std::ptrdiff_t offset = pixels.begin * out_.c;
        own.a += pixels.begin * in_.c;
        if (io.residual) own.residual += offset;
        own.y += offset;
        own.scratch += thread * this->scratch_;
        run_pixels(own, pixels.end - pixels.begin, panels, share(pixels, panels));
      });
    else
      in_rectangle(worker, grid_costs(out_.h), [&](int thread, Range rows, Range panels) {
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
      run_pixels(part, count * out_.w, {0, panels_},
                 share({rows.begin * out_.w, (rows.begin + count) * out_.w}, {0, panels_}));
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
  }

  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    ConvolutionOf<T> a = arguments(Values<T>(bytes), n, {0, panels_});
    a.x_pixel = a.x_run = a.run = depth_;
    a.runs = 1;
    this->run_(a);
  }

  int input_rows() const override { return in_.h; }

  /// float32: values of the packed weights, in whole cache lines.
  std::size_t weights() const {
    return static_cast<std::size_t>(whole_lines(this->weight_bytes_)) / sizeof(float);
  }
  /// float32: puts the weights at `place`, which must outlive the layer, and lets go of those that it was
  /// made of; once, before the first run.
  void pack(float* place) {
    pack_convolution_f32(width_, out_.c, depth_, weight_.values().data(), values_or_null(bias_), place);
    weights_ = place;
    weight_.release_pages();
    weight_ = bias_ = Constant();
  }
  /// Multiply-adds that leave time to fetch weights: windows fetch their own input.
  std::int64_t macs_to_fetch_in() const { return is_pointwise() ? out_.size() * depth_ : 0; }
  /// Values that run() brings into the cache meanwhile; they must outlive the layer.
  void fetch(std::span<const float> values) { fetch_ = values; }

 private:
  bool pads() const { return window_.padding != Padding{}; }
  GridCosts grid_costs(std::int64_t rows) const {
    return {.rows = rows,
            .columns = panels_,
            .row_pixels = out_.pixels() / rows,
            .row_bytes = static_cast<std::int64_t>(sizeof(T)) * (in_.size() + out_.size()) / rows,
            .column_bytes = this->weight_bytes_ / panels_};
  }
  /// All pixels follow one another, over the ends of rows too.
  bool is_pointwise() const {
    return window_.kernel_h == 1 && window_.kernel_w == 1 && window_.stride_h == 1 && window_.stride_w == 1 &&
           !pads();
  }
  /// What a part of the layer fetches of all that the layer fetches.
  std::span<const float> share(Range pixels, Range panels) const {
    const std::int64_t count = pixels.end - pixels.begin;
    const auto before = [&](std::int64_t work) {
      return fetch_.size() * static_cast<std::size_t>(work) /
             static_cast<std::size_t>(out_.pixels() * panels_);
    };
    const std::int64_t begin = pixels.begin * panels_ + panels.begin * count;
    const std::int64_t end = begin + (panels.end - panels.begin) * count;
    return fetch_.subspan(before(begin), before(end) - before(begin));
  }

  /// `pixels` output pixels whose windows follow one another from io.a on. `fetch` is brought into the cache
  /// meanwhile, in float32.
  void run_pixels(const Values<T>& io, std::int64_t pixels, Range panels,
                  std::span<const float> fetch) const {
    this->run_(with_fetch(arguments(io, pixels, panels), fetch));
  }
  static ConvolutionOf<T> with_fetch(ConvolutionOf<T> a, [[maybe_unused]] std::span<const float> fetch) {
    if constexpr (!kIsHalf<T>) {
      a.fetch = reinterpret_cast<const char*>(fetch.data());
      a.fetch_bytes = static_cast<std::ptrdiff_t>(fetch.size_bytes());
    }
    return a;
  }
  ConvolutionOf<T> arguments(const Values<T>& io, std::int64_t pixels, Range panels) const {
    ConvolutionOf<T> a = {};
    a.x = io.a;
    a.x_pixel = std::ptrdiff_t{window_.stride_w} * in_.c;
    a.x_run = row_size(in_);
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
      a.scratch = io.scratch + copied_bytes_;
      if (this->gives_real_) a.real = reinterpret_cast<float*>(io.y);
    } else {
      a.packed = weights_;
    }
    a.y = io.y;
    return a;
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image. Windows inside the image are
  /// read where they lie, the others from copies with the zeros around.
  void run_window_rows(const Values<T>& io, Range rows, Range panels) const {
    const auto* const copies = reinterpret_cast<const T*>(io.scratch);
    const std::ptrdiff_t pixel = std::ptrdiff_t{window_.stride_w} * in_.c;
    const int slack = in_.w + window_.padding.left - window_.kernel_w;
    const int left = std::min((window_.padding.left + window_.stride_w - 1) / window_.stride_w, out_.w);
    const int right = std::clamp(slack < 0 ? 0 : slack / window_.stride_w + 1, left, out_.w);
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      const int top = static_cast<int>(ho) * window_.stride_h - window_.padding.top;
      const bool inside = top >= 0 && top + window_.kernel_h <= in_.h;
      for (int wo = 0, end = 0; wo < out_.w; wo = end) {
        const bool copied = !inside || wo < left || wo >= right;
        end = copied ? std::min(wo + kCopiedWindows, inside && wo < left ? left : out_.w) : right;
        if (copied) copy_windows(io, top, wo, end);
        Values<T> part = io;
        const std::ptrdiff_t offset = (ho - rows.begin) * row_size(out_) + std::ptrdiff_t{wo} * out_.c;
        if (io.residual) part.residual += offset;
        part.y += offset;
        part.a = copied ? copies : io.a + top * row_size(in_) + (wo * pixel - window_.padding.left * in_.c);
        ConvolutionOf<T> a = arguments(part, end - wo, panels);
        if (copied) {
          a.x_pixel = depth_;
          a.x_run = a.run;
        }
        this->run_(with_fetch(a, copied ? std::span<const float>() : rows_below(io, top)));
      }
    }
  }

  /// The input rows that the output row behind the one whose window begins at `top` needs as well.
  std::span<const float> rows_below(const Values<T>& io, int top) const {
    if constexpr (kIsHalf<T>) {
      return {};
    } else {
      const int below = std::clamp(top + window_.kernel_h, 0, in_.h);
      return {io.a + below * row_size(in_),
              static_cast<std::size_t>(std::min(window_.stride_h, in_.h - below) * row_size(in_))};
    }
  }

  /// The windows of output pixels [begin, end), their first row at `top`.
  void copy_windows(const Values<T>& io, int top, int begin, int end) const {
    auto* y = reinterpret_cast<T*>(io.scratch);
    for (int wo = begin; wo < end; ++wo) {
      const int from = wo * window_.stride_w - window_.padding.left;
      const int first = std::clamp(-from, 0, window_.kernel_w);
      const int last = std::clamp(in_.w - from, first, window_.kernel_w);
      for (int h = top; h < top + window_.kernel_h; ++h) {
        std::fill_n(y, std::ptrdiff_t{window_.kernel_w} * in_.c, T{});
        if (h >= 0 && h < in_.h)
          std::copy_n(io.a + h * row_size(in_) + std::ptrdiff_t{from + first} * in_.c,
                      std::ptrdiff_t{last - first} * in_.c, y + std::ptrdiff_t{first} * in_.c);
        y += std::ptrdiff_t{window_.kernel_w} * in_.c;
      }
    }
  }

  Window window_;
  Shape in_;
  Shape out_;
  Finish finish_;
  Finish residual_finish_;
  int depth_;
  int width_ = 0;  ///< float32: values in a vector
  int panels_ = 0;
  std::int64_t copied_bytes_ = 0;  ///< of copy_windows()
  Constant weight_;                ///< float32: until they are packed
  Constant bias_;
  std::conditional_t<kIsHalf<T>, PackedConvolutionHalf<T>, std::monostate> packed_;
  const float* weights_ = nullptr;  ///< float32: packed
  std::span<const float> fetch_;
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

  void run(const LayerIo& io, const Worker& worker) const override {
    worker.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
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
      : KernelLayer<AddOf<T>>(kernels.add), shape_(shape), finish_(finish_of(op.activation)) {
    this->shared_ = shape.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    in_part<T>(worker, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
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
      : KernelLayer<ActivateOf<T>>(kernels.activate), shape_(shape), finish_(finish_of(op.activation)) {
    this->shared_ = shape.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    in_part<T>(worker, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
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
      : KernelLayer<MultiplyOf<T>>(kernels.multiply), shape_(shape) {
    this->shared_ = shape.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      const std::ptrdiff_t offset = begin * shape_.c;
      this->run_({io.a + offset, io.b, io.y + offset, end - begin, shape_.c});
    };
    worker.parallel_for(shape_.pixels(), part);
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
  PoolLayer(Shape in, const FloatKernels<T>& kernels) : KernelLayer<PoolOf<T>>(kernels.pool), in_(in) {
    this->shared_ = in.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      this->run_({io.a, io.y, in_.pixels(), in_.c, static_cast<int>(begin), static_cast<int>(end)});
    };
    constexpr std::int64_t kLine = kCacheLine / sizeof(T);
    worker.parallel_for((in_.c + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
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
      : KernelLayer<PadOf<T>>(kernels.pad), padding_(op.padding), in_(in), out_(out) {
    this->shared_ = out.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Values<T> io(bytes);
    worker.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
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
    shared_ = false;
    if constexpr (kIsHalf<T>) scratch_ = whole_lines(classes_ * static_cast<std::int64_t>(sizeof(float)));
  }
  void run(const LayerIo& bytes, const Worker&) const override { run_windows(bytes, 1); }
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

AlignedVector<float> pack_weights_f32(std::span<const std::unique_ptr<Layer>> layers) {
  std::vector<ConvolutionLayer<float>*> dense;
  std::size_t size = 0;
  for (const auto& layer : layers) {
    auto* const convolution = dynamic_cast<ConvolutionLayer<float>*>(layer.get());
    if (!convolution) continue;
    dense.push_back(convolution);
    size += convolution->weights();
  }
  AlignedVector<float> all;
  all.reserve(whole_huge_pages(size * sizeof(float)) / sizeof(float));
  for (ConvolutionLayer<float>* layer : dense) {
    all.resize(all.size() + layer->weights());
    layer->pack(all.data() + all.size() - layer->weights());
  }
  // From the last layer to the first: what cannot be fetched just before it is needed is fetched earlier.
  std::size_t fetched = size;  // from here on
  for (std::size_t i = dense.size(), end = size; i-- > 0;) {
    const auto most = static_cast<std::size_t>(dense[i]->macs_to_fetch_in() / kFetchMacs);
    const std::size_t begin = std::max(end, fetched - std::min(fetched, most));
    dense[i]->fetch(std::span(all).subspan(begin, fetched - begin));
    fetched = begin;
    end -= dense[i]->weights();
  }
  return all;
}

}  // namespace linnet::cpu
