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

/// A layer fetches a float of later layers' weights every so many multiply-adds at most: half of what a
/// memory gives.
constexpr std::int64_t kFetchMacs = 28;

/// Windows that reach over the edge of the image are copied so many at a time: a tile.
constexpr int kCopiedWindows = 14;

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
        width_(width),
        depth_(window.kernel_h * window.kernel_w * in.c),
        panels_(count_panels(width, out.c)),
        weight_(weight),
        bias_(bias) {
    weight_bytes_ = static_cast<std::int64_t>(packed_size(width_, out_.c, depth_) * sizeof(float));
    if (pads()) scratch_ = std::int64_t{kCopiedWindows} * depth_ * static_cast<std::int64_t>(sizeof(float));
  }

  void run(const LayerIo& bytes, ThreadPool& pool) const override {
    const Io io(bytes);
    if (is_pointwise())
      for_each_rectangle(pool, out_.pixels(), panels_, [&](int, Range pixels, Range panels) {
        const std::ptrdiff_t offset = pixels.begin * out_.c;
        run_pixels(io.a + pixels.begin * in_.c, in_.c, row_size(in_),
                   io.residual ? io.residual + offset : nullptr, io.y + offset, pixels.end - pixels.begin,
                   panels, share(pixels, panels));
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
      run_pixels(part.a + slot * row_size(in_), in_.c, row_size(in_), part.residual, part.y, count * out_.w,
                 {0, panels_}, share({rows.begin * out_.w, (rows.begin + count) * out_.w}, {0, panels_}));
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
  }

  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    run_pixels(io.a, depth_, std::ptrdiff_t{window_.kernel_w} * in_.c, io.residual, io.y, n, {0, panels_},
               {});
  }

  int input_rows() const override { return in_.h; }

  /// Values of the packed weights: whole cache lines.
  std::size_t weights() const { return static_cast<std::size_t>(whole_lines(weight_bytes_)) / sizeof(float); }
  /// Puts the weights at `place`, which must outlive the layer; before the first run.
  void pack(float* place) {
    pack_convolution_f32(width_, out_.c, depth_, weight_.values().data(), values_or_null(bias_), place);
    packed_ = place;
  }
  /// Multiply-adds that leave time to fetch weights: windows fetch their own input.
  std::int64_t macs_to_fetch_in() const { return is_pointwise() ? out_.size() * depth_ : 0; }
  /// Values that run() brings into the cache meanwhile; they must outlive the layer.
  void fetch(std::span<const float> values) { fetch_ = values; }

 private:
  bool pads() const { return window_.padding != Padding{}; }
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

  /// `pixels` output pixels whose windows follow one another from x on. `fetch` is brought into the cache
  /// meanwhile.
  void run_pixels(const float* x, std::ptrdiff_t x_pixel, std::ptrdiff_t x_run, const float* residual,
                  float* y, std::int64_t pixels, Range panels, std::span<const float> fetch) const {
    run_({.x = x,
          .x_pixel = x_pixel,
          .x_run = x_run,
          .runs = window_.kernel_h,
          .run = window_.kernel_w * in_.c,
          .packed = packed_,
          .residual = residual,
          .y = y,
          .pixels = static_cast<int>(pixels),
          .k = out_.c,
          .panel_begin = static_cast<int>(panels.begin),
          .panel_end = static_cast<int>(panels.end),
          .fetch = reinterpret_cast<const char*>(fetch.data()),
          .fetch_bytes = static_cast<std::ptrdiff_t>(fetch.size_bytes()),
          .finish = residual ? residual_finish_ : finish_});
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image. Windows inside the image are
  /// read where they lie, the others from copies with the zeros around.
  void run_window_rows(const Io& io, Range rows, Range panels) const {
    const auto* const copies = reinterpret_cast<const float*>(io.scratch);
    const std::ptrdiff_t pixel = std::ptrdiff_t{window_.stride_w} * in_.c;
    const int slack = in_.w + window_.padding.left - window_.kernel_w;
    const int left = std::min((window_.padding.left + window_.stride_w - 1) / window_.stride_w, out_.w);
    const int right = std::clamp(slack < 0 ? 0 : slack / window_.stride_w + 1, left, out_.w);
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      const int top = static_cast<int>(ho) * window_.stride_h - window_.padding.top;
      const bool inside = top >= 0 && top + window_.kernel_h <= in_.h;
      // The rows that the next output row needs as well.
      const int below = std::clamp(top + window_.kernel_h, 0, in_.h);
      const std::span next(
          io.a + below * row_size(in_),
          static_cast<std::size_t>(std::min(window_.stride_h, in_.h - below) * row_size(in_)));
      for (int wo = 0, end = 0; wo < out_.w; wo = end) {
        const bool copied = !inside || wo < left || wo >= right;
        end = copied ? std::min(wo + kCopiedWindows, inside && wo < left ? left : out_.w) : right;
        if (copied) copy_windows(io, top, wo, end);
        const float* x =
            copied ? copies : io.a + top * row_size(in_) + (wo * pixel - window_.padding.left * in_.c);
        const std::ptrdiff_t offset = (ho - rows.begin) * row_size(out_) + std::ptrdiff_t{wo} * out_.c;
        run_pixels(x, copied ? depth_ : pixel,
                   copied ? std::ptrdiff_t{window_.kernel_w} * in_.c : row_size(in_),
                   io.residual ? io.residual + offset : nullptr, io.y + offset, end - wo, panels,
                   copied ? std::span<const float>() : next);
      }
    }
  }

  /// The windows of output pixels [begin, end), their first row at `top`.
  void copy_windows(const Io& io, int top, int begin, int end) const {
    auto* y = reinterpret_cast<float*>(io.scratch);
    for (int wo = begin; wo < end; ++wo) {
      const int from = wo * window_.stride_w - window_.padding.left;
      const int first = std::clamp(-from, 0, window_.kernel_w);
      const int last = std::clamp(in_.w - from, first, window_.kernel_w);
      for (int h = top; h < top + window_.kernel_h; ++h) {
        std::fill_n(y, std::ptrdiff_t{window_.kernel_w} * in_.c, 0.0f);
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
  int width_;
  int depth_;
  int panels_;
  const Constant& weight_;
  const Constant& bias_;
  const float* packed_ = nullptr;
  std::span<const float> fetch_;
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

AlignedVector<float> pack_weights_f32(std::span<const std::unique_ptr<Layer>> layers) {
  std::vector<ConvolutionLayer*> dense;
  std::size_t size = 0;
  for (const auto& layer : layers) {
    auto* const convolution = dynamic_cast<ConvolutionLayer*>(layer.get());
    if (!convolution) continue;
    dense.push_back(convolution);
    size += convolution->weights();
  }
  AlignedVector<float> all;
  all.reserve(whole_huge_pages(size * sizeof(float)) / sizeof(float));
  for (ConvolutionLayer* layer : dense) {
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
