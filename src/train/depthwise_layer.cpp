// Depthwise layers.
#include "train/layer.h"

namespace linnet::train {
namespace {

const cpu::Kernel<cpu::DepthwiseF32>& choose(const Window& window, const cpu::Kernels& kernels) {
  const int kernel = window.kernel_h == window.kernel_w ? window.kernel_w : 0;
  const int stride = window.stride_h == window.stride_w ? window.stride_w : 0;
  if (kernel == 3 && stride == 1) return kernels.depthwise3_stride1;
  if (kernel == 3 && stride == 2) return kernels.depthwise3_stride2;
  if (kernel == 5 && stride == 1) return kernels.depthwise5_stride1;
  if (kernel == 5 && stride == 2) return kernels.depthwise5_stride2;
  return kernels.depthwise_any;
}

/// Rows of an image in scratch memory, one behind the other in a ring.
struct Ring {
  float* data;
  int rows;
  int have = 0;  ///< rows [have - rows, have) are there
};

/// Brings rows [ring.have, end) of `shape` by fetch(row, rows, where).
template <class Fetch>
void extend(Ring& ring, int end, const Shape& shape, Fetch fetch) {
  while (ring.have < end) {
    const int place = ring.have % ring.rows;
    const int rows = std::min(end - ring.have, ring.rows - place);
    const std::ptrdiff_t row = std::ptrdiff_t{shape.w} * shape.c;
    float* const to = ring.data + place * row;
    const float* const from = fetch(ring.have, rows, to);
    if (from != to) std::copy_n(from, rows * row, to);
    ring.have += rows;
  }
}

class DepthwiseLayer final : public Layer {
 public:
  DepthwiseLayer(const Machine& machine, Edge input, Value& output, const Window& window, Weights weights)
      : Layer(machine, {input}, output),
        window_(window),
        weights_(weights),
        in_(input.value->shape),
        out_(output.shape),
        slides_(window.stride_h == 1 && window.stride_w == 1),
        block_(block_images(in_.size() > out_.size() ? in_ : out_)),
        band_(band_rows()),
        x_ring_(in_.h),
        dz_ring_(out_.h) {
    if (slides_) turned_.resize(weights.value.size());
    if (band_ == out_.h) return;
    x_ring_ = std::min(in_.h, (band_ - 1) * window.stride_h + window.kernel_h);
    dz_ring_ = std::min(out_.h, band_ + (window.kernel_h - 1) / window.stride_h);
  }

  ScratchSize scratch_size() const override {
    const std::int64_t in_row = std::int64_t{in_.w} * in_.c;
    const std::int64_t out_row = std::int64_t{out_.w} * out_.c;
    const int dx_rows = std::min(in_.h, band_ * window_.stride_h + window_.kernel_h);
    return {
        .x = block_ * x_ring_ * in_row, .dy = block_ * dz_ring_ * out_row, .dx = block_ * dx_rows * in_row};
  }
  std::span<float> d_weight() override { return weights_.gradient; }

  void forward(int thread, const Scratch& scratch, Range images) override {
    for_each_block(images, block_, [&](std::int64_t image, std::int64_t count) {
      if (band_ < out_.h) return forward_in_bands(thread, scratch, image);
      const float* x =
          inputs_[0].value->fetch(image * in_.pixels(), count * in_.pixels(), scratch.x, in_.c).data;
      const std::int64_t pixel = image * out_.pixels();
      float* const z = output_.room(pixel, scratch.dy);
      for (std::int64_t i = 0; i < count; ++i)
        slide_forward(x + i * in_.size(), in_.h, 0, out_.h, z + i * out_.size());
      output_.store(thread, pixel, count * out_.pixels(), z);
    });
  }

  void pack_backward(int thread) override {
    // The kernel turned around: tap i becomes tap R * S - 1 - i.
    if (!slides_ || thread != 0) return;
    const std::ptrdiff_t taps = std::ptrdiff_t{window_.kernel_h} * window_.kernel_w;
    for (std::ptrdiff_t i = 0; i < taps; ++i)
      std::copy_n(weights_.value.data() + (taps - 1 - i) * in_.c, in_.c, turned_.data() + i * in_.c);
  }

  void backward(int thread, const Scratch& scratch, Range images) override {
    float* const dw = thread == 0 ? weights_.gradient.data() : scratch.partial;
    const Edge& input = inputs_[0];
    bool accumulate = false;
    for_each_block(images, block_, [&](std::int64_t image, std::int64_t count) {
      if (band_ < out_.h) {
        backward_in_bands(thread, scratch, image, dw, accumulate);
        accumulate = true;
        return;
      }
      const std::int64_t pixel = image * in_.pixels();
      const float* dz =
          output_.fetch_gradient(image * out_.pixels(), count * out_.pixels(), scratch.dy, out_.c).data;
      const float* x = input.value->fetch(pixel, count * in_.pixels(), scratch.x, in_.c).data;
      weight_gradient(x, dz, static_cast<int>(count), 0, out_.h, dw, accumulate);
      accumulate = true;
      if (!input.value->needs_gradient) return;
      for (std::int64_t i = 0; i < count; ++i)
        input_gradient(dz + i * out_.size(), 0, in_.h, scratch.dx + i * in_.size());
      input.deliver(thread, pixel, count * in_.pixels(), scratch.dx);
    });
    if (!accumulate) std::ranges::fill_n(dw, static_cast<std::ptrdiff_t>(weights_.gradient.size()), 0.0f);
  }

 private:
  /// Output rows that are computed together: all, or of a large image as many as stay in the cache.
  int band_rows() const {
    const std::int64_t row = std::int64_t{in_.w} * in_.c * std::int64_t{sizeof(float)};
    if (in_.h * row <= 2 * kBlockBytes) return out_.h;
    const std::int64_t rows = (kBlockBytes / row - window_.kernel_h) / window_.stride_h;
    return static_cast<int>(std::clamp<std::int64_t>(rows / 4 * 4, 4, out_.h));
  }
  /// Input rows that output rows below `end` read.
  int rows_read(int end) const {
    return std::clamp((end - 1) * window_.stride_h - window_.padding.top + window_.kernel_h, 0, in_.h);
  }
  /// Input rows that no output row from `end` on reads.
  int rows_finished(int end) const {
    if (end == out_.h) return in_.h;
    return std::clamp(end * window_.stride_h - window_.padding.top, 0, in_.h);
  }
  void extend_x(Ring& x, int end, std::int64_t image) const {
    extend(x, end, in_, [&](int row, int rows, float* to) {
      return inputs_[0]
          .value
          ->fetch(image * in_.pixels() + std::int64_t{row} * in_.w, std::int64_t{rows} * in_.w, to, in_.c)
          .data;
    });
  }

  void forward_in_bands(int thread, const Scratch& scratch, std::int64_t image) {
    Ring x = {scratch.x, x_ring_};
    for (int begin = 0; begin < out_.h; begin += band_) {
      const int end = std::min(begin + band_, out_.h);
      extend_x(x, rows_read(end), image);
      const std::int64_t pixel = image * out_.pixels() + std::int64_t{begin} * out_.w;
      float* const z = output_.room(pixel, scratch.dy);
      slide_forward(x.data, x.rows, begin, end, z);
      output_.store(thread, pixel, std::int64_t{end - begin} * out_.w, z);
    }
  }

  void backward_in_bands(int thread, const Scratch& scratch, std::int64_t image, float* dw, bool accumulate) {
    Ring x = {scratch.x, x_ring_};
    Ring dz = {scratch.dy, dz_ring_};
    int finished = 0;  // rows of dx
    for (int begin = 0; begin < out_.h; begin += band_) {
      const int end = std::min(begin + band_, out_.h);
      extend_x(x, rows_read(end), image);
      extend(dz, end, out_, [&](int row, int rows, float* to) {
        return output_
            .fetch_gradient(image * out_.pixels() + std::int64_t{row} * out_.w, std::int64_t{rows} * out_.w,
                            to, out_.c)
            .data;
      });
      weight_gradient(x.data, dz.data, 1, begin, end, dw, accumulate);
      accumulate = true;
      if (!inputs_[0].value->needs_gradient) continue;
      const int first = std::exchange(finished, rows_finished(end));
      input_gradient(dz.data, first, finished, scratch.dx);
      inputs_[0].deliver(thread, image * in_.pixels() + std::int64_t{first} * in_.w,
                         std::int64_t{finished - first} * in_.w, scratch.dx);
    }
  }

  /// Rows [begin, end) of the window over one image, of which `rows` rows are there.
  void slide(const float* x, int rows, const Shape& from, const float* weight, const float* bias, int top,
             int left, float* y, int width, int begin, int end) const {
    choose(window_, machine_.kernels)
        .run({.x = x,
              .ring = rows * from.w,
              .h = from.h,
              .w = from.w,
              .c = from.c,
              .weight = weight,
              .bias = bias,
              .kernel_h = window_.kernel_h,
              .kernel_w = window_.kernel_w,
              .stride_h = window_.stride_h,
              .stride_w = window_.stride_w,
              .pad_top = top,
              .pad_left = left,
              .y = y,
              .wo = width,
              .row_begin = begin,
              .row_end = end,
              .finish = cpu::Finish::kNone});
  }
  void slide_forward(const float* x, int rows, int begin, int end, float* z) const {
    slide(x, rows, in_, weights_.value.data(), weights_.bias, window_.padding.top, window_.padding.left, z,
          out_.w, begin, end);
  }

  void weight_gradient(const float* x, const float* dz, int images, int begin, int end, float* dw,
                       bool accumulate) const {
    machine_.train.depthwise_weight_gradient({.x = x,
                                              .dy = dz,
                                              .x_ring = x_ring_,
                                              .dy_ring = dz_ring_,
                                              .row_begin = begin,
                                              .row_end = end,
                                              .images = images,
                                              .h = in_.h,
                                              .w = in_.w,
                                              .c = in_.c,
                                              .ho = out_.h,
                                              .wo = out_.w,
                                              .kernel_h = window_.kernel_h,
                                              .kernel_w = window_.kernel_w,
                                              .stride_h = window_.stride_h,
                                              .stride_w = window_.stride_w,
                                              .pad_top = window_.padding.top,
                                              .pad_left = window_.padding.left,
                                              .dw = dw,
                                              .accumulate = accumulate});
  }

  /// Rows [begin, end) of dx.
  void input_gradient(const float* dz, int begin, int end, float* dx) const {
    if (slides_)
      return slide(dz, dz_ring_, out_, turned_.data(), nullptr, window_.kernel_h - 1 - window_.padding.top,
                   window_.kernel_w - 1 - window_.padding.left, dx, in_.w, begin, end);
    machine_.train.depthwise_input_gradient({.dy = dz,
                                             .dy_ring = dz_ring_,
                                             .row_begin = begin,
                                             .row_end = end,
                                             .weight = weights_.value.data(),
                                             .h = in_.h,
                                             .w = in_.w,
                                             .c = in_.c,
                                             .ho = out_.h,
                                             .wo = out_.w,
                                             .kernel_h = window_.kernel_h,
                                             .kernel_w = window_.kernel_w,
                                             .stride_h = window_.stride_h,
                                             .stride_w = window_.stride_w,
                                             .pad_top = window_.padding.top,
                                             .pad_left = window_.padding.left,
                                             .dx = dx});
  }

  Window window_;
  Weights weights_;
  Shape in_;
  Shape out_;
  bool slides_;         ///< stride 1
  std::int64_t block_;  ///< images; one where there are bands
  int band_;            ///< output rows
  int x_ring_;          ///< rows that are there; all of them where there are no bands
  int dz_ring_;
  AlignedVector<float> turned_;
};

}  // namespace

std::unique_ptr<Layer> make_depthwise_layer(const Machine& machine, Edge input, Value& output,
                                            const Window& window, Weights weights) {
  return std::make_unique<DepthwiseLayer>(machine, input, output, window, weights);
}

}  // namespace linnet::train
