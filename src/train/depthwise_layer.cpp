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

class DepthwiseLayer final : public Layer {
 public:
  DepthwiseLayer(const Machine& machine, Edge input, Value& output, const Window& window, Weights weights)
      : Layer(machine, {input}, output),
        window_(window),
        weights_(weights),
        in_(input.value->shape),
        out_(output.shape),
        slides_(window.stride_h == 1 && window.stride_w == 1),
        block_(block_images(in_.size() > out_.size() ? in_ : out_)) {
    if (slides_) turned_.resize(weights.value.size());
  }

  ScratchSize scratch_size() const override {
    return {.x = block_ * in_.size(), .dy = block_ * out_.size(), .dx = block_ * in_.size()};
  }
  std::span<float> d_weight() override { return weights_.gradient; }

  void forward(int thread, const Scratch& scratch, Range images) override {
    for_each_block(images, block_, [&](std::int64_t image, std::int64_t count) {
      const float* x =
          inputs_[0].value->fetch(image * in_.pixels(), count * in_.pixels(), scratch.x, in_.c).data;
      const std::int64_t pixel = image * out_.pixels();
      float* const z = output_.room(pixel, scratch.dy);
      for (std::int64_t i = 0; i < count; ++i)
        slide(x + i * in_.size(), in_, weights_.value.data(), weights_.bias, window_.padding.top,
              window_.padding.left, z + i * out_.size(), out_);
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
      const std::int64_t pixel = image * in_.pixels();
      const float* dz =
          output_.fetch_gradient(image * out_.pixels(), count * out_.pixels(), scratch.dy, out_.c).data;
      const float* x = input.value->fetch(pixel, count * in_.pixels(), scratch.x, in_.c).data;
      machine_.train.depthwise_weight_gradient({.at = geometry(),
                                                .images = static_cast<int>(count),
                                                .x = x,
                                                .dy = dz,
                                                .dw = dw,
                                                .accumulate = accumulate});
      accumulate = true;
      if (!input.value->needs_gradient) return;
      for (std::int64_t i = 0; i < count; ++i)
        input_gradient(dz + i * out_.size(), scratch.dx + i * in_.size());
      input.deliver(thread, pixel, count * in_.pixels(), scratch.dx);
    });
    if (!accumulate) std::ranges::fill_n(dw, static_cast<std::ptrdiff_t>(weights_.gradient.size()), 0.0f);
  }

 private:
  /// The window over one whole image.
  void slide(const float* x, const Shape& from, const float* weight, const float* bias, int top, int left,
             float* y, const Shape& to) const {
    choose(window_, machine_.kernels)
        .run({.x = x,
              .ring = from.h * from.w,
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
              .wo = to.w,
              .row_begin = 0,
              .row_end = to.h,
              .finish = cpu::Finish::kNone});
  }

  void input_gradient(const float* dz, float* dx) const {
    if (slides_)
      return slide(dz, out_, turned_.data(), nullptr, window_.kernel_h - 1 - window_.padding.top,
                   window_.kernel_w - 1 - window_.padding.left, dx, in_);
    machine_.train.depthwise_input_gradient(
        {.at = geometry(), .dy = dz, .weight = weights_.value.data(), .dx = dx});
  }

  cpu::DepthwiseGeometry geometry() const {
    return {.h = in_.h,
            .w = in_.w,
            .c = in_.c,
            .ho = out_.h,
            .wo = out_.w,
            .kernel_h = window_.kernel_h,
            .kernel_w = window_.kernel_w,
            .stride_h = window_.stride_h,
            .stride_w = window_.stride_w,
            .pad_top = window_.padding.top,
            .pad_left = window_.padding.left};
  }

  Window window_;
  Weights weights_;
  Shape in_;
  Shape out_;
  bool slides_;         ///< stride 1
  std::int64_t block_;  ///< images
  AlignedVector<float> turned_;
};

}  // namespace

std::unique_ptr<Layer> make_depthwise_layer(const Machine& machine, Edge input, Value& output,
                                            const Window& window, Weights weights) {
  return std::make_unique<DepthwiseLayer>(machine, input, output, window, weights);
}

}  // namespace linnet::train
