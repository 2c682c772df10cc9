#include "cpu/streamed.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#include "graph/quantized.h"
#include "numerics/multiplier.h"

namespace linnet::cpu {
namespace {

/// The window of a dense convolution that is more than a pixel, or nothing.
const Window* gathered_window(const Op& op) {
  const auto* convolution = std::get_if<Convolution>(&op);
  return convolution && convolution->window != Window{} ? &convolution->window : nullptr;
}

}  // namespace

Kernels any_window(Kernels kernels) {
  kernels.depthwise3_stride1 = kernels.depthwise3_stride2 = kernels.depthwise_any;
  kernels.depthwise5_stride1 = kernels.depthwise5_stride2 = kernels.depthwise_any;
  return kernels;
}

KernelsS8 any_window(KernelsS8 kernels) {
  kernels.depthwise_layout.form = QuadForm::kNone;
  kernels.depthwise_layout.float_channels = 0;
  return kernels;
}

std::int64_t streamed_scratch(const Graph& graph, const Layer& layer, NodeId node, std::int64_t value_bytes,
                              std::int64_t pixels) {
  const Window* const window = gathered_window(graph[node].op);
  const std::int64_t depth =
      window ? std::int64_t{window->kernel_h} * window->kernel_w * graph[graph[node].inputs[0]].shape.c : 0;
  return layer.window_scratch(pixels) + pixels * depth * value_bytes;
}

StreamedPlan::StreamedPlan(const Graph& graph, const plan::Plan& plan,
                           std::span<const std::unique_ptr<Layer>> layers, const KernelsS8& kernels)
    : graph_(graph), kernels_(kernels), value_bytes_(plan.value_bytes) {
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
    const plan::Stage& stage = plan.stages[static_cast<std::size_t>(s)];
    std::vector<Step> steps;
    for (const plan::Layer& layer : stage.layers) steps.push_back(step_of(plan, s, layer, layers));
    stages_.push_back({plan::Walk(graph, stage), std::move(steps)});
  }
  const int last = static_cast<int>(plan.stages.size()) - 1;
  if (const plan::Buffer* const scores = find(plan, last, graph.output)) scores_offset_ = scores->offset;
}

StreamedPlan::Ring StreamedPlan::ring_of(const plan::Plan& plan, int stage, NodeId value) const {
  const Shape& shape = graph_[value].shape;
  const plan::Buffer* const buffer = find(plan, stage, value);
  if (!buffer) return {Ring::kImage, shape.pixels(), shape.c * value_bytes_};
  return {buffer->offset, buffer->pixels, shape.c * value_bytes_};
}

StreamedPlan::Step StreamedPlan::step_of(const plan::Plan& plan, int stage, const plan::Layer& layer,
                                         std::span<const std::unique_ptr<Layer>> layers) const {
  const Node& node = graph_[layer.node];
  Step step = {};
  step.work = Work::kPixels;
  step.layer = layers[static_cast<std::size_t>(layer.node)].get();
  step.node = layer.node;
  step.y = ring_of(plan, stage, layer.value());
  if (!node.inputs.empty()) {
    step.a = ring_of(plan, stage, node.inputs[0]);
    step.window.in = graph_[node.inputs[0]].shape;
    step.window.out = node.shape;
    const auto& q = graph_[node.inputs[0]].quantization;
    step.padding = q ? static_cast<std::byte>(q->zero_point) : std::byte{0};
  }
  if (node.inputs.size() > 1) step.b = ring_of(plan, stage, node.inputs[1]);
  if (const NodeId residual = residual_of(graph_, layer); residual != plan::kNobody)
    step.residual = ring_of(plan, stage, residual);
  if (const plan::Buffer* const b = find_scratch(plan, stage)) step.scratch = b->offset;
  if (const plan::Buffer* const b = find_sums(plan, stage, layer.value())) step.sums = b->offset;
  std::visit(Overloaded{
                 [&](const Input&) { step.work = Work::kConvert; },
                 [&](const Convolution& op) {
                   step.window.window = op.window;
                   if (gathered_window(node.op)) step.work = Work::kWindows;
                 },
                 [&](const Depthwise& op) {
                   step.window.window = op.window;
                   step.work = Work::kColumns;
                 },
                 [&](const Pad& op) {
                   step.window.window.padding = op.padding;
                   step.work = Work::kPad;
                 },
                 [&](const GlobalAveragePool&) {
                   step.work = Work::kPool;
                   if (is_int8(graph_)) step.average = average_multiplier_of(graph_, layer.node);
                 },
                 [](const auto&) {},
             },
             node.op);
  return step;
}

std::byte* StreamedPlan::at(const Memory& m, const Ring& ring, std::int64_t pixel) const {
  if (ring.offset == Ring::kImage) {  // read alone
    const auto* const image = reinterpret_cast<const std::byte*>(m.image) + pixel * ring.pixel_bytes;
    return const_cast<std::byte*>(image);
  }
  return m.arena + ring.offset + pixel % ring.pixels * ring.pixel_bytes;
}

void StreamedPlan::run(std::byte* arena, std::span<const float> image, std::span<float> scores,
                       std::span<double> seconds) {
  using Clock = std::chrono::steady_clock;
  const Memory m = {arena, image.data()};
  for (Stage& stage : stages_)
    stage.walk.run([&](int layer, std::int64_t begin, std::int64_t end) {
      const Step& step = stage.steps[static_cast<std::size_t>(layer)];
      if (seconds.empty()) return run_tile(m, step, begin, end);
      const auto before = Clock::now();
      run_tile(m, step, begin, end);
      seconds[static_cast<std::size_t>(step.node)] +=
          std::chrono::duration<double>(Clock::now() - before).count();
    });
  if (scores_offset_ == Ring::kImage) {  // a float graph of nothing but its input
    std::ranges::copy(image, scores.begin());
  } else if (is_int8(graph_)) {
    const Quantization& q = *graph_[graph_.output].quantization;
    const auto* const stored = reinterpret_cast<const std::int8_t*>(arena + scores_offset_);
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = numerics::dequantize_real(stored[i], q.scale, q.zero_point);
  } else {
    std::memcpy(scores.data(), arena + scores_offset_, scores.size_bytes());
  }
}

void StreamedPlan::run_tile(const Memory& m, const Step& step, std::int64_t begin, std::int64_t end) const {
  // Pieces that wrap in no ring.
  const auto left_in = [](const Ring& ring, std::int64_t pixel) {
    return ring.pixels == 0 ? std::numeric_limits<std::int64_t>::max() : ring.pixels - pixel % ring.pixels;
  };
  while (begin < end) {
    std::int64_t n = end - begin;
    if (step.work != Work::kPool) n = std::min(n, left_in(step.y, begin));
    n = std::min(n, left_in(step.residual, begin));
    const bool pixel_by_pixel = step.work == Work::kPixels || step.work == Work::kPool;
    if (pixel_by_pixel) n = std::min(n, left_in(step.a, begin));
    // An Add's second operand flows, a gate does not.
    const bool adds = std::holds_alternative<Add>(graph_[step.node].op);
    if (adds) n = std::min(n, left_in(step.b, begin));

    LayerIo io;
    if (step.a.pixels) io.a = at(m, step.a, pixel_by_pixel ? begin : 0);
    if (step.b.pixels) io.b = at(m, step.b, adds ? begin : 0);
    if (step.residual.pixels) io.residual = at(m, step.residual, begin);
    io.y = at(m, step.y, step.work == Work::kPool ? 0 : begin);
    io.scratch = m.arena + step.scratch;
    switch (step.work) {
      case Work::kConvert: convert(m, step, begin, n); break;
      case Work::kPixels: step.layer->run_windows(io, n); break;
      case Work::kWindows: run_windows(m, step, io, begin, n); break;
      case Work::kColumns: {
        const int wo = step.window.out.w;
        const std::int64_t column = begin % wo;
        n = std::min(n, wo - column);
        static_cast<const RowLayer*>(step.layer)
            ->run_columns(io, static_cast<int>(step.a.pixels), static_cast<int>(begin / wo),
                          {column, column + n});
        break;
      }
      case Work::kPool:
        add_up(m, step, begin, n);
        if (begin + n == step.window.in.pixels()) finish_pool(m, step);
        break;
      case Work::kPad:
        n = 1;
        pad(m, step, begin);
        break;
    }
    begin += n;
  }
}

void StreamedPlan::convert(const Memory& m, const Step& step, std::int64_t pixel, std::int64_t n) const {
  const Node& input = graph_[0];
  const Quantization& q = *input.quantization;
  kernels_.quantize_input.run({m.image + pixel * input.shape.c,
                               reinterpret_cast<std::int8_t*>(at(m, step.y, pixel)), n * input.shape.c,
                               1.0f / q.scale, q.zero_point});
}

void StreamedPlan::run_windows(const Memory& m, const Step& step, LayerIo io, std::int64_t pixel,
                               std::int64_t n) const {
  const Window& window = step.window.window;
  const Shape& in = step.window.in;
  const std::int64_t bytes = step.a.pixel_bytes;
  // The kernel's own scratch comes first, since it lies on a cache line.
  std::byte* const gathered = io.scratch + step.layer->window_scratch(n);
  std::byte* to = gathered;
  for (std::int64_t i = pixel; i < pixel + n; ++i) {
    const std::int64_t top = i / step.window.out.w * window.stride_h - window.padding.top;
    const std::int64_t left = i % step.window.out.w * window.stride_w - window.padding.left;
    for (std::int64_t h = top; h < top + window.kernel_h; ++h)
      for (std::int64_t w = left; w < left + window.kernel_w; ++w, to += bytes) {
        if (h < 0 || h >= in.h || w < 0 || w >= in.w)
          std::memset(to, static_cast<int>(step.padding), static_cast<std::size_t>(bytes));
        else
          std::memcpy(to, at(m, step.a, h * in.w + w), static_cast<std::size_t>(bytes));
      }
  }
  io.a = gathered;
  step.layer->run_windows(io, n);
}

void StreamedPlan::add_up(const Memory& m, const Step& step, std::int64_t pixel, std::int64_t n) const {
  const int channels = step.window.in.c;
  const std::byte* const x = at(m, step.a, pixel);
  const auto add = [&]<class T, class Sum>(const T* values, Sum* sums) {
    if (pixel == 0) std::fill_n(sums, channels, Sum{0});
    for (std::int64_t i = 0; i < n; ++i)
      for (int c = 0; c < channels; ++c) sums[c] += static_cast<Sum>(*values++);
  };
  std::byte* const sums = m.arena + step.sums;
  if (is_int8(graph_))
    add(reinterpret_cast<const std::int8_t*>(x), reinterpret_cast<std::int32_t*>(sums));
  else
    add(reinterpret_cast<const float*>(x), reinterpret_cast<float*>(sums));
}

void StreamedPlan::finish_pool(const Memory& m, const Step& step) const {
  const int channels = step.window.in.c;
  std::byte* const y = at(m, step.y, 0);
  if (!is_int8(graph_)) {
    const auto* const sums = reinterpret_cast<const float*>(m.arena + step.sums);
    const float scale = 1.0f / static_cast<float>(step.window.in.pixels());
    for (int c = 0; c < channels; ++c) reinterpret_cast<float*>(y)[c] = sums[c] * scale;
    return;
  }
  const auto* const sums = reinterpret_cast<const std::int32_t*>(m.arena + step.sums);
  const int zero_x = graph_[graph_[step.node].inputs[0]].quantization->zero_point;
  const auto count = static_cast<std::int32_t>(step.window.in.pixels());
  const linnet_output to = output_limits(Activation::kNone, *graph_[step.node].quantization);
  for (int c = 0; c < channels; ++c)
    reinterpret_cast<std::int8_t*>(y)[c] = linnet_average(sums[c], count, zero_x, step.average, to);
}

void StreamedPlan::pad(const Memory& m, const Step& step, std::int64_t pixel) const {
  const Shape& in = step.window.in;
  const std::int64_t h = pixel / step.window.out.w - step.window.window.padding.top;
  const std::int64_t w = pixel % step.window.out.w - step.window.window.padding.left;
  std::byte* const y = at(m, step.y, pixel);
  const auto bytes = static_cast<std::size_t>(step.y.pixel_bytes);
  if (h < 0 || h >= in.h || w < 0 || w >= in.w)
    std::memset(y, static_cast<int>(step.padding), bytes);
  else
    std::memcpy(y, at(m, step.a, h * in.w + w), bytes);
}

}  // namespace linnet::cpu
