// Layers of an int8 graph. What they compute is numerics/int8.h, with the numbers that graph/quantized.h
// derives.
#include "cpu/kernels/convolution/pack_s8.h"
#include "cpu/kernels/depthwise/pack_depthwise_s8.h"
#include "cpu/layer_parts.h"
#include "cpu/memory.h"
#include "graph/quantized.h"

namespace linnet::cpu {
namespace {

using Io = Values<std::int8_t>;
using Table = std::array<std::int8_t, 256>;

int zero_point(const Graph& graph, NodeId id) { return graph[id].quantization->zero_point; }
int input_zero_point(const Graph& graph, NodeId id, std::size_t i = 0) {
  return zero_point(graph, graph[id].inputs[i]);
}

const std::int32_t* bias_or_null(const LayerWeights& layer) {
  return layer.bias.absent() ? nullptr : layer.bias.values<std::int32_t>().data();
}

/// The table of the Activate that a layer took over, if that is what it took over.
std::optional<Table> table_of(const Graph& graph, LayerNode node) {
  if (!node.taken_over) return std::nullopt;
  const auto* activate = std::get_if<Activate>(&graph[*node.taken_over].op);
  if (!activate) return std::nullopt;
  return activation_table(activate->activation, *graph[node.id].quantization,
                          *graph[*node.taken_over].quantization);
}

/// The residual add of the Add that a convolution took over, its x to be filled in.
ResidualS8 residual_of(const Graph& graph, LayerNode node) {
  ResidualS8 r = {};
  if (!node.taken_over) return r;
  const NodeId add = *node.taken_over;
  const auto* op = std::get_if<Add>(&graph[add].op);
  if (!op) return r;
  r.is_a = graph[add].inputs[0] != node.id;
  r.zero_a = input_zero_point(graph, add, 0);
  r.zero_b = input_zero_point(graph, add, 1);
  r.by = add_multiplier_of(graph, add);
  r.to = output_limits(op->activation, *graph[add].quantization);
  return r;
}

/// Convolution and Linear.
class ConvolutionS8Layer final : public KernelLayer<ConvolutionS8, RowLayer> {
 public:
  ConvolutionS8Layer(const Graph& graph, LayerNode node, const Window& window,
                     const Kernel<ConvolutionS8>& kernel, const ConvolutionLayoutS8& layout)
      : KernelLayer(kernel),
        window_(window),
        in_(graph[graph[node.id].inputs[0]].shape),
        out_(graph[node.id].shape),
        zero_x_(static_cast<std::int8_t>(input_zero_point(graph, node.id))),
        residual_(residual_of(graph, node)),
        table_(table_of(graph, node)),
        panels_(count_panels_s8(layout, out_.c)) {
    const LayerWeights weights = *layer_weights(graph[node.id].op);
    const IntegerLayer layer = integer_layer(graph, node.id);
    const int depth = window.kernel_h * window.kernel_w * in_.c;
    zero_w_ = weights.weight_zero_point;
    to_ = layer.output;
    packed_ = pack_convolution_s8(layout, {.k = out_.c,
                                           .depth = depth,
                                           .weight = weights.weight.values<std::int8_t>().data(),
                                           .bias = bias_or_null(weights),
                                           .by = layer.multipliers.data(),
                                           .zero_x = zero_x_,
                                           .zero_w = zero_w_,
                                           .exact_in_float = layer.exact_in_float()});
    weight_bytes_ = static_cast<std::int64_t>(packed_.bytes());
    shared_ = is_worth_sharing(out_.pixels(), out_.c, depth);
    layout_ = layout;
    kernel_scratch_ =
        whole_lines(static_cast<std::int64_t>(convolution_scratch_s8(layout, window.kernel_h, depth)));
    scratch_ = kernel_scratch_;
    if (pads()) scratch_ += whole_lines(window.kernel_h * padded_row());
  }

  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    if (is_pointwise())
      in_rectangle(worker, grid_costs(out_.pixels()), [&](int thread, Range pixels, Range panels) {
        Io own = part_of(io, thread, pixels.begin * out_.c);
        own.a += pixels.begin * in_.c;
        run_pixels(own, own.a, pixels.end - pixels.begin, panels, bytes.alone);
      });
    else
      in_rectangle(worker, grid_costs(out_.h), [&](int thread, Range rows, Range panels) {
        run_window_rows(part_of(io, thread, rows.begin * row_size(out_)), rows, panels, bytes.alone);
      });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    Io part(io);
    if (!is_pointwise()) return run_window_rows(part, rows, {0, panels_}, io.alone);
    while (rows.begin < rows.end) {
      const std::int64_t slot = rows.begin % ring;
      const std::int64_t count = std::min(rows.end - rows.begin, ring - slot);
      run_pixels(part, part.a + slot * row_size(in_), count * out_.w, {0, panels_}, io.alone);
      if (part.residual) part.residual += count * row_size(out_);
      part.y += count * row_size(out_);
      rows.begin += count;
    }
  }

  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    ConvolutionS8 a = arguments(io, io.a, n, {0, panels_}, bytes.alone);
    a.x_pixel = a.x_run = a.run = depth();
    a.runs = 1;
    run_(a);
  }
  std::int64_t window_scratch(std::int64_t n) const override {
    return static_cast<std::int64_t>(convolution_scratch_s8(layout_, 1, depth(), static_cast<int>(n)));
  }

  int input_rows() const override { return in_.h; }
  bool can_read_unsigned() const override {
    return layout_.reads_unsigned && is_pointwise() && zero_w_ == 0 && in_.c % layout_.group == 0;
  }

 private:
  int depth() const { return window_.kernel_h * window_.kernel_w * in_.c; }
  bool pads() const { return window_.padding != Padding{}; }
  GridCosts grid_costs(std::int64_t rows) const {
    return {.rows = rows,
            .columns = panels_,
            .row_pixels = out_.pixels() / rows,
            .row_bytes = (in_.size() + out_.size()) / rows,
            .column_bytes = weight_bytes_ / panels_};
  }
  /// All pixels follow one another, over the ends of rows too.
  bool is_pointwise() const { return window_ == Window{}; }
  std::ptrdiff_t padded_row() const {
    return (std::ptrdiff_t{window_.padding.left} + in_.w + window_.padding.right) * in_.c;
  }

  /// What a thread that begins `offset` values behind the output's first has to itself.
  Io part_of(const Io& io, int thread, std::ptrdiff_t offset) const {
    Io own = io;
    if (own.residual) own.residual += offset;
    own.y += offset;
    own.scratch += thread * whole_lines(scratch_);
    return own;
  }

  /// `pixels` output pixels whose windows follow one another from x on.
  void run_pixels(const Io& io, const std::int8_t* x, std::int64_t pixels, Range panels, bool alone) const {
    run_(arguments(io, x, pixels, panels, alone));
  }
  ConvolutionS8 arguments(const Io& io, const std::int8_t* x, std::int64_t pixels, Range panels,
                          bool alone) const {
    ConvolutionS8 a = {};
    a.x = x;
    a.x_pixel = std::ptrdiff_t{window_.stride_w} * in_.c;
    a.x_run = pads() ? padded_row() : row_size(in_);
    a.runs = window_.kernel_h;
    a.run = window_.kernel_w * in_.c;
    a.x_is_unsigned = reads_unsigned_ && !alone;
    packed_.apply(a);
    a.zero_w = zero_w_;
    a.to = to_;
    a.residual = residual_;
    a.residual.x = io.residual;
    a.table = table_ && !alone ? table_->data() : nullptr;
    a.y = io.y;
    a.pixels = static_cast<int>(pixels);
    a.k = out_.c;
    a.panel_begin = static_cast<int>(panels.begin);
    a.panel_end = static_cast<int>(panels.end);
    a.scratch = io.scratch;
    return a;
  }

  /// Output rows of a window that is more than a pixel; io.a is the whole image.
  void run_window_rows(Io io, Range rows, Range panels, bool alone) const {
    for (std::int64_t ho = rows.begin; ho < rows.end; ++ho) {
      run_pixels(io, window_rows(io, static_cast<int>(ho)), out_.w, panels, alone);
      if (io.residual) io.residual += row_size(out_);
      io.y += row_size(out_);
    }
  }

  /// The input rows of output row ho: those of the image, or where it is padded a copy with the zero points
  /// around it.
  const std::int8_t* window_rows(const Io& io, int ho) const {
    const int top = ho * window_.stride_h - window_.padding.top;
    const std::ptrdiff_t row = row_size(in_);
    if (!pads()) return io.a + top * row;
    auto* const copy = reinterpret_cast<std::int8_t*>(io.scratch + kernel_scratch_);
    std::int8_t* y = copy;
    for (int h = top; h < top + window_.kernel_h; ++h) {
      if (h < 0 || h >= in_.h) {
        y = std::fill_n(y, padded_row(), zero_x_);
        continue;
      }
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.left} * in_.c, zero_x_);
      y = std::copy_n(io.a + h * row, row, y);
      y = std::fill_n(y, std::ptrdiff_t{window_.padding.right} * in_.c, zero_x_);
    }
    return copy;
  }

  Window window_;
  Shape in_;
  Shape out_;
  std::int8_t zero_x_;
  int zero_w_ = 0;
  linnet_output to_ = {};
  ResidualS8 residual_;
  std::optional<Table> table_;
  int panels_;
  PackedConvolutionS8 packed_;
  ConvolutionLayoutS8 layout_ = {};
  std::int64_t kernel_scratch_ = 0;
};

class DepthwiseS8Layer final : public RowLayer {
 public:
  DepthwiseS8Layer(const Graph& graph, LayerNode node, const KernelsS8& kernels)
      : window_(std::get<Depthwise>(graph[node.id].op).window),
        in_(graph[graph[node.id].inputs[0]].shape),
        out_(graph[node.id].shape),
        zero_x_(input_zero_point(graph, node.id)),
        table_(table_of(graph, node)) {
    const LayerWeights weights = *layer_weights(graph[node.id].op);
    const IntegerLayer layer = integer_layer(graph, node.id);
    to_ = layer.output;
    const DepthwiseWeightsS8 from = {.w = in_.w,
                                     .c = in_.c,
                                     .kernel_h = window_.kernel_h,
                                     .kernel_w = window_.kernel_w,
                                     .stride_h = window_.stride_h,
                                     .stride_w = window_.stride_w,
                                     .weight = weights.weight.values<std::int8_t>().data(),
                                     .bias = bias_or_null(weights),
                                     .by = layer.multipliers.data(),
                                     .zero_x = zero_x_,
                                     .zero_w = weights.weight_zero_point,
                                     .exact_in_float = layer.exact_in_float()};
    packed_ = pack_depthwise_s8(kernels.depthwise_layout, from);
    const Kernel<DepthwiseS8>& kernel = depthwise_kernel_s8(kernels, from, packed_);
    run_ = kernel.run;
    kernel_ = std::string(kernel.isa) + "::" + kernel.name;
    using Form = PackedDepthwiseS8::Form;
    can_store_unsigned_ =
        kernels.stores_unsigned && (packed_.form == Form::kQuads || packed_.form == Form::kColumns);
    weight_bytes_ = static_cast<std::int64_t>(packed_.bytes());
  }

  void run(const LayerIo& io, const Worker& worker) const override {
    worker.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      LayerIo own = io;
      own.y += begin * row_size(out_);
      run_rows(own, in_.h, {begin, end});
    });
  }

  void run_rows(const LayerIo& io, int ring, Range rows) const override {
    run_(arguments(io, ring * in_.w, rows));
  }

  void run_columns(const LayerIo& io, int ring, int row, Range columns) const override {
    DepthwiseS8 a = arguments(io, ring, {row, row + 1});
    a.pad_left -= static_cast<int>(columns.begin) * a.stride_w;
    a.wo = static_cast<int>(columns.end - columns.begin);
    run_(a);
  }

  int input_rows() const override { return in_.h; }
  bool can_store_unsigned() const override { return can_store_unsigned_; }

 private:
  DepthwiseS8 arguments(const LayerIo& io, int ring, Range rows) const {
    const Io v(io);
    DepthwiseS8 a = {};
    a.x = v.a;
    a.ring = ring;
    a.h = in_.h;
    a.w = in_.w;
    a.c = in_.c;
    a.zero_x = zero_x_;
    packed_.apply(a);
    a.kernel_h = window_.kernel_h;
    a.kernel_w = window_.kernel_w;
    a.stride_h = window_.stride_h;
    a.stride_w = window_.stride_w;
    a.pad_top = window_.padding.top;
    a.pad_left = window_.padding.left;
    a.y = v.y;
    a.wo = out_.w;
    a.row_begin = static_cast<int>(rows.begin);
    a.row_end = static_cast<int>(rows.end);
    a.to = to_;
    a.table = table_ && !io.alone ? table_->data() : nullptr;
    a.y_is_unsigned = stores_unsigned_ && !io.alone;
    return a;
  }

  Window window_;
  Shape in_;
  Shape out_;
  int zero_x_;
  bool can_store_unsigned_ = false;
  linnet_output to_ = {};
  std::optional<Table> table_;
  PackedDepthwiseS8 packed_;
  void (*run_)(const DepthwiseS8&) = nullptr;
};

class AddS8Layer final : public KernelLayer<AddS8> {
 public:
  AddS8Layer(const Graph& graph, NodeId id, const KernelsS8& kernels) : KernelLayer(kernels.add) {
    channels_ = graph[id].shape.c;
    a_.n = graph[id].shape.size();
    a_.zero_a = input_zero_point(graph, id, 0);
    a_.zero_b = input_zero_point(graph, id, 1);
    a_.by = add_multiplier_of(graph, id);
    a_.to = output_limits(std::get<Add>(graph[id].op).activation, *graph[id].quantization);
    shared_ = a_.n >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    in_part<std::int8_t>(worker, a_.n, [&](std::int64_t begin, std::int64_t end) {
      AddS8 part = a_;
      part.a = io.a + begin;
      part.b = io.b + begin;
      part.y = io.y + begin;
      part.n = end - begin;
      run_(part);
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    AddS8 part = a_;
    part.a = io.a;
    part.b = io.b;
    part.y = io.y;
    part.n = n * channels_;
    run_(part);
  }

 private:
  AddS8 a_ = {};
  int channels_ = 0;
};

class LookupS8Layer final : public KernelLayer<LookupS8> {
 public:
  LookupS8Layer(const Graph& graph, NodeId id, const KernelsS8& kernels)
      : KernelLayer(kernels.lookup),
        shape_(graph[id].shape),
        table_(activation_table(std::get<Activate>(graph[id].op).activation,
                                *graph[graph[id].inputs[0]].quantization, *graph[id].quantization)) {
    shared_ = shape_.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    in_part<std::int8_t>(worker, shape_.size(), [&](std::int64_t begin, std::int64_t end) {
      run_({io.a + begin, io.y + begin, end - begin, table_.data()});
    });
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    run_({io.a, io.y, n * shape_.c, table_.data()});
  }

 private:
  Shape shape_;
  Table table_;
};

class MultiplyS8Layer final : public KernelLayer<MultiplyS8> {
 public:
  MultiplyS8Layer(const Graph& graph, NodeId id, const KernelsS8& kernels)
      : KernelLayer(kernels.multiply), shape_(graph[id].shape) {
    a_.c = shape_.c;
    a_.zero_x = input_zero_point(graph, id, 0);
    a_.zero_gate = input_zero_point(graph, id, 1);
    a_.by = product_multiplier_of(graph, id);
    a_.to = output_limits(Activation::kNone, *graph[id].quantization);
    can_store_unsigned_ = kernels.stores_unsigned;
    shared_ = shape_.size() >= kWorthSharing;
  }
  bool can_store_unsigned() const override { return can_store_unsigned_; }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      MultiplyS8 a = a_;
      a.y_is_unsigned = stores_unsigned_ && !bytes.alone;
      a.x = io.a + begin * shape_.c;
      a.gate = io.b;
      a.y = io.y + begin * shape_.c;
      a.pixels = end - begin;
      run_(a);
    };
    worker.parallel_for(shape_.pixels(), part);
  }
  void run_windows(const LayerIo& bytes, std::int64_t n) const override {
    const Io io(bytes);
    MultiplyS8 a = a_;
    a.x = io.a;
    a.gate = io.b;
    a.y = io.y;
    a.pixels = n;
    run_(a);
  }

 private:
  Shape shape_;
  MultiplyS8 a_ = {};
  bool can_store_unsigned_ = false;
};

class PoolS8Layer final : public KernelLayer<PoolS8> {
 public:
  PoolS8Layer(const Graph& graph, NodeId id, const KernelsS8& kernels)
      : KernelLayer(kernels.pool), in_(graph[graph[id].inputs[0]].shape) {
    a_.pixels = static_cast<int>(in_.pixels());
    a_.c = in_.c;
    a_.zero_x = input_zero_point(graph, id);
    a_.by = average_multiplier_of(graph, id);
    a_.to = output_limits(Activation::kNone, *graph[id].quantization);
    shared_ = in_.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      PoolS8 a = a_;
      a.x = io.a;
      a.y = io.y;
      a.channel_begin = static_cast<int>(begin);
      a.channel_end = static_cast<int>(end);
      run_(a);
    };
    constexpr std::int64_t kLine = kCacheLine;
    worker.parallel_for((in_.c + kLine - 1) / kLine, [&](std::int64_t begin, std::int64_t end) {
      part(begin * kLine, std::min<std::int64_t>(end * kLine, in_.c));
    });
  }

 private:
  Shape in_;
  PoolS8 a_ = {};
};

class PadS8Layer final : public KernelLayer<PadS8> {
 public:
  PadS8Layer(const Graph& graph, NodeId id, const KernelsS8& kernels)
      : KernelLayer(kernels.pad),
        padding_(std::get<Pad>(graph[id].op).padding),
        in_(graph[graph[id].inputs[0]].shape),
        out_(graph[id].shape),
        zero_x_(input_zero_point(graph, id)) {
    shared_ = out_.size() >= kWorthSharing;
  }
  void run(const LayerIo& bytes, const Worker& worker) const override {
    const Io io(bytes);
    worker.parallel_for(out_.h, [&](std::int64_t begin, std::int64_t end) {
      run_({io.a, in_.h, in_.w, in_.c, padding_.top, padding_.left, padding_.right, zero_x_, io.y,
            static_cast<int>(begin), static_cast<int>(end)});
    });
  }

 private:
  Padding padding_;
  Shape in_;
  Shape out_;
  int zero_x_;
};

}  // namespace

std::unique_ptr<Layer> make_layer_s8(const Graph& graph, LayerNode node, const KernelsS8& kernels) {
  using Made = std::unique_ptr<Layer>;
  const auto dense = [&](const Window& window, Kernel<ConvolutionS8> KernelsS8::*kernel) -> Made {
    const int depth = window.kernel_h * window.kernel_w * graph[graph[node.id].inputs[0]].shape.c;
    const bool shallow =
        kernels.shallow && (depth <= kernels.shallow_depth || graph[node.id].shape.pixels() == 1);
    const KernelsS8& of = shallow ? *kernels.shallow : kernels;
    return std::make_unique<ConvolutionS8Layer>(graph, node, window, of.*kernel, of.layout);
  };
  return std::visit(
      Overloaded{
          [&](const Convolution& op) -> Made {
            const bool pointwise = op.window.kernel_h == 1 && op.window.kernel_w == 1;
            return dense(op.window, pointwise ? &KernelsS8::pointwise : &KernelsS8::convolution);
          },
          [&](const Linear&) -> Made { return dense(Window{}, &KernelsS8::linear); },
          [&](const Depthwise&) -> Made { return std::make_unique<DepthwiseS8Layer>(graph, node, kernels); },
          [&](const Activate&) -> Made { return std::make_unique<LookupS8Layer>(graph, node.id, kernels); },
          [&](const Add&) -> Made { return std::make_unique<AddS8Layer>(graph, node.id, kernels); },
          [&](const Multiply&) -> Made { return std::make_unique<MultiplyS8Layer>(graph, node.id, kernels); },
          [&](const GlobalAveragePool&) -> Made {
            return std::make_unique<PoolS8Layer>(graph, node.id, kernels);
          },
          [&](const Pad&) -> Made { return std::make_unique<PadS8Layer>(graph, node.id, kernels); },
          // canonical() leaves none of these in an int8 graph.
          [](const Identity&) -> Made { return nullptr; },
          [](const BatchNorm&) -> Made { return nullptr; },
          [](const Softmax&) -> Made { return nullptr; },
          [](const Input&) -> Made { return nullptr; },
      },
      graph[node.id].op);
}

}  // namespace linnet::cpu
