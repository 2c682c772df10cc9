// The same steps by oneDNN, driven by hand: what that library can reach, for chains such as MobileNetV1.
//   onednn_training MODEL [BATCH [THREADS [SECONDS [LAYOUT]]]]
//
// LAYOUT is `library`, where each convolution chooses how its values lie, or `channels-last`. Weights live
// where the forward pass wants them and are copied only for a pass that wants them otherwise. relu6 works in
// place, batch norm's backward pass too; gradients go to and fro between two buffers. Where the library has
// only im2col for the gradient of a depthwise layer's weights, which would take half of the step, a loop here
// does it. Running statistics are not kept, which favours the library a little.
#include <array>
#include <cstring>
#include <optional>
#include <unordered_map>

#include <fmt/core.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "train/loss.h"
#include "workload.h"

namespace {

using namespace linnet;
using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;
using Kind = dnnl::prop_kind;
using Arguments = std::unordered_map<int, memory>;

using Step = std::function<void(dnnl::stream&)>;

Step step_of(dnnl::primitive primitive, Arguments arguments) {
  return [=](dnnl::stream& stream) { primitive.execute(stream, arguments); };
}

/// What SGD moves. All three lie alike, padding included, which is zero and stays so.
struct Parameter {
  memory value;
  memory gradient;
  memory velocity;
  bool decays;
};

/// How a depthwise layer's values lie: channels in blocks of `block`, whose pixels follow each other.
struct Blocked {
  float* data;
  std::int64_t block;
  const float* at(std::int64_t n, std::int64_t of, const memory::dims& dims, std::int64_t h,
                  std::int64_t w) const {
    return data + (((n * dims[1] / block + of) * dims[2] + h) * dims[3] + w) * block;
  }
};

float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

/// Nothing where it lies neither channels last nor in blocks of 8 or 16.
std::optional<Blocked> blocked(const memory& m) {
  const memory::dims dims = m.get_desc().get_dims();
  if (m.get_desc() == memory::desc(dims, Type::f32, Tag::nhwc)) return Blocked{floats(m), dims[1]};
  for (const auto& [tag, block] : {std::pair{Tag::nChw8c, 8}, std::pair{Tag::nChw16c, 16}})
    if (dims[1] % block == 0 && m.get_desc() == memory::desc(dims, Type::f32, tag))
      return Blocked{floats(m), block};
  return {};
}

void fill_zero(const memory& m) { std::memset(m.get_data_handle(), 0, m.get_desc().get_size()); }

class Chain final : public figures::Trainee {
 public:
  /// Throws dnnl::error; errors: a node that is no link of such a chain.
  Result<void> build(const figures::Workload& workload, bool channels_last) {
    workload_ = &workload;
    channels_last_ = channels_last;
    d_scores_.resize(workload.targets.size());
    const Shape& s = workload.graph.input_shape();
    memory x({{workload.batch, s.c, s.h, s.w}, Type::f32, Tag::nhwc}, engine_,
             const_cast<float*>(workload.images.data()));
    for (NodeId id = 1; id < workload.graph.size(); ++id) {
      const Node& node = workload.graph[id];
      if (node.inputs.size() != 1 || node.inputs[0] != id - 1)
        return fail("node \"{}\" does not read the one before it alone", node.name);
      bool known = true;
      std::visit(
          Overloaded{
              [&](const Convolution& op) { x = convolution(x, node.shape, op.window, op.weight, false); },
              [&](const Depthwise& op) { x = convolution(x, node.shape, op.window, op.weight, true); },
              [&](const BatchNorm& op) { x = batch_norm(x, op); },
              [&](const Activate& op) {
                known = op.activation == Activation::kRelu6;
                x = relu6(x);
              },
              [&](const GlobalAveragePool&) { x = average(x); },
              [&](const Linear& op) { x = linear(x, op); },
              [](const Identity&) {},
              [&](const auto&) { known = false; },
          },
          node.op);
      if (!known) return fail("node \"{}\" has no form here", node.name);
    }
    scores_ = x;
    memory d({{workload.batch, workload.classes()}, Type::f32, Tag::nc}, engine_, d_scores_.data());
    for (auto link = links_.rbegin(); link != links_.rend(); ++link) d = (*link)(d);
    std::size_t largest = 0;
    for (const auto& [m, buffer] : gradients_) largest = std::max(largest, m.get_desc().get_size());
    for (auto& buffer : buffers_) buffer.resize(largest);
    for (auto& [m, buffer] : gradients_) m.set_data_handle(buffers_[buffer].data());
    return {};
  }

  double forward() override {
    execute(forward_);
    const std::span scores(floats(scores_), d_scores_.size());
    return train::softmax_cross_entropy(scores, workload_->targets, workload_->classes(), d_scores_).mean;
  }
  void backward() override { execute(backward_); }
  void update() override {
    for (const Parameter& p : parameters_) {
      float* w = floats(p.value);
      float* v = floats(p.velocity);
      const float* g = floats(p.gradient);
      const float decay = p.decays ? figures::kWeightDecay : 0;
      const auto n = static_cast<std::ptrdiff_t>(p.value.get_desc().get_size() / sizeof(float));
#pragma omp parallel for simd
      for (std::ptrdiff_t i = 0; i < n; ++i) {
        const float d = g[i] + decay * w[i];
        v[i] = figures::kMomentum * v[i] + d;
        w[i] -= figures::kRate * (d + figures::kMomentum * v[i]);
      }
    }
  }

 private:
  void execute(const std::vector<Step>& steps) {
    for (const Step& step : steps) step(stream_);
    stream_.wait();
  }

  memory make(const memory::desc& desc) { return memory(desc, engine_); }
  /// A gradient in the buffer that the one before it does not lie in.
  memory make_gradient(const memory::desc& desc) {
    next_ = 1 - next_;
    memory m(desc, engine_, DNNL_MEMORY_NONE);
    gradients_.emplace_back(m, next_);
    return m;
  }
  memory::desc any(const memory::dims& dims) const {
    return {dims, Type::f32, channels_last_ && dims.size() == 4 ? Tag::nhwc : Tag::any};
  }

  memory parameter(memory value, bool decays) {
    Parameter p = {value, make(value.get_desc()), make(value.get_desc()), decays};
    fill_zero(p.velocity);
    fill_zero(p.gradient);
    parameters_.push_back(p);
    return p.gradient;
  }
  memory vector_of(const Constant& constant) {
    const auto values = constant.values();
    memory m = make({{static_cast<std::int64_t>(values.size())}, Type::f32, Tag::x});
    std::memcpy(m.get_data_handle(), values.data(), values.size_bytes());
    return m;
  }

  /// The values of `m` as `wanted` lies, copied at every step where that differs.
  memory as(const memory& m, const memory::desc& wanted, std::vector<Step>& steps) {
    if (m.get_desc() == wanted) return m;
    memory copy = make(wanted);
    steps.push_back(step_of(dnnl::reorder(m, copy), {{DNNL_ARG_FROM, m}, {DNNL_ARG_TO, copy}}));
    return copy;
  }
  memory gradient_as(const memory& d, const memory::desc& wanted) {
    if (d.get_desc() == wanted) return d;
    memory copy = make_gradient(wanted);
    backward_.push_back(step_of(dnnl::reorder(d, copy), {{DNNL_ARG_FROM, d}, {DNNL_ARG_TO, copy}}));
    return copy;
  }

  /// dw [R, S, C] of a depthwise layer, for which the library has nothing but im2col on small images.
  static void depthwise_weight_gradient(const memory& x_memory, const memory& dy_memory, const Window& w,
                                        const memory& dw) {
    const Blocked x = *blocked(x_memory), dy = *blocked(dy_memory);
    const memory::dims in = x_memory.get_desc().get_dims(), out = dy_memory.get_desc().get_dims();
    constexpr std::int64_t kChunk = 8;
    float* const sums = floats(dw);
#pragma omp parallel for
    for (std::int64_t c = 0; c < in[1]; c += kChunk) {
      for (std::int64_t tap = 0; tap < std::int64_t{w.kernel_h} * w.kernel_w; ++tap) {
        std::array<float, kChunk> sum = {};
        for (std::int64_t n = 0; n < in[0]; ++n)
          for (std::int64_t ho = 0; ho < out[2]; ++ho)
            for (std::int64_t wo = 0; wo < out[3]; ++wo) {
              const std::int64_t h = ho * w.stride_h - w.padding.top + tap / w.kernel_w;
              const std::int64_t v = wo * w.stride_w - w.padding.left + tap % w.kernel_w;
              if (h < 0 || h >= in[2] || v < 0 || v >= in[3]) continue;
              const float* const from = x.at(n, c / x.block, in, h, v) + c % x.block;
              const float* const by = dy.at(n, c / dy.block, out, ho, wo) + c % dy.block;
#pragma omp simd
              for (std::int64_t i = 0; i < kChunk; ++i) sum[i] += from[i] * by[i];
            }
        std::copy(sum.begin(), sum.end(), sums + tap * in[1] + c);
      }
    }
  }

  memory convolution(memory x, const Shape& shape, const Window& w, const Constant& weight, bool depthwise) {
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const bool first = links_.empty();
    const memory::dims x_dims = x.get_desc().get_dims();
    const std::int64_t c = x_dims[1], k = shape.c, r = w.kernel_h, s = w.kernel_w;
    const memory::dims dims = depthwise ? memory::dims{c, 1, 1, r, s} : memory::dims{k, c, r, s};
    const memory::dims order =
        depthwise ? memory::dims{1, 1, 1, s * c, c} : memory::dims{r * s * c, 1, s * c, c};
    const memory::dims strides = {w.stride_h, w.stride_w};
    const memory::dims before = {w.padding.top, w.padding.left};
    const memory::dims behind = {w.padding.bottom, w.padding.right};
    const memory::desc x_desc = any(x_dims), y_desc = any({x_dims[0], k, shape.h, shape.w});
    const memory::desc w_desc = {dims, Type::f32, Tag::any};

    const dnnl::convolution_forward::primitive_desc forward(engine_, Kind::forward_training, algorithm,
                                                            x_desc, w_desc, y_desc, strides, before, behind);
    memory plain({dims, Type::f32, order}, engine_, const_cast<std::byte*>(weight.bytes().data()));
    memory value = make(forward.weights_desc());
    dnnl::reorder(plain, value).execute(stream_, plain, value);
    stream_.wait();
    const memory gradient = parameter(value, true);
    x = as(x, forward.src_desc(), forward_);
    memory y = make(forward.dst_desc());
    forward_.push_back(step_of(dnnl::convolution_forward(forward),
                               {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, value}, {DNNL_ARG_DST, y}}));

    links_.push_back([=, this](memory d) {
      const dnnl::convolution_backward_weights::primitive_desc weights(
          engine_, algorithm, x_desc, w_desc, y_desc, strides, before, behind, forward);
      const std::string how = weights.impl_info_str();
      const bool by_hand = depthwise && how.find("gemm") != how.npos && blocked(x) && blocked(d);
      const memory::desc dw_desc = by_hand ? plain.get_desc() : weights.diff_weights_desc();
      const memory dw = dw_desc == gradient.get_desc() ? gradient : make(dw_desc);
      const memory dy = by_hand ? d : gradient_as(d, weights.diff_dst_desc());
      if (by_hand)
        backward_.push_back([=](dnnl::stream&) { depthwise_weight_gradient(x, dy, w, dw); });
      else
        backward_.push_back(step_of(dnnl::convolution_backward_weights(weights),
                                    {{DNNL_ARG_SRC, as(x, weights.src_desc(), backward_)},
                                     {DNNL_ARG_DIFF_DST, dy},
                                     {DNNL_ARG_DIFF_WEIGHTS, dw}}));
      if (dw != gradient)
        backward_.push_back(
            step_of(dnnl::reorder(dw, gradient), {{DNNL_ARG_FROM, dw}, {DNNL_ARG_TO, gradient}}));
      if (first) return dy;
      const dnnl::convolution_backward_data::primitive_desc data(engine_, algorithm, x_desc, w_desc, y_desc,
                                                                 strides, before, behind, forward);
      const memory w_back = as(value, data.weights_desc(), backward_);
      const memory dy_back = gradient_as(dy, data.diff_dst_desc());
      memory dx = make_gradient(data.diff_src_desc());
      backward_.push_back(
          step_of(dnnl::convolution_backward_data(data),
                  {{DNNL_ARG_DIFF_DST, dy_back}, {DNNL_ARG_WEIGHTS, w_back}, {DNNL_ARG_DIFF_SRC, dx}}));
      return dx;
    });
    return y;
  }

  memory batch_norm(const memory& x, const BatchNorm& op) {
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
    const memory::desc desc = x.get_desc();
    const float epsilon = op.epsilon;
    const dnnl::batch_normalization_forward::primitive_desc forward(engine_, Kind::forward_training, desc,
                                                                    desc, epsilon, flags);
    const memory scale = vector_of(op.scale), offset = vector_of(op.offset);
    const memory d_scale = parameter(scale, false), d_offset = parameter(offset, false);
    const memory mean = make(forward.mean_desc()), variance = make(forward.variance_desc());
    memory y = make(desc);
    forward_.push_back(step_of(dnnl::batch_normalization_forward(forward), {{DNNL_ARG_SRC, x},
                                                                            {DNNL_ARG_SCALE, scale},
                                                                            {DNNL_ARG_SHIFT, offset},
                                                                            {DNNL_ARG_MEAN, mean},
                                                                            {DNNL_ARG_VARIANCE, variance},
                                                                            {DNNL_ARG_DST, y}}));
    links_.push_back([=, this](memory d) {
      d = gradient_as(d, desc);
      const dnnl::batch_normalization_backward::primitive_desc backward(engine_, Kind::backward, desc, desc,
                                                                        desc, epsilon, flags, forward);
      backward_.push_back(
          step_of(dnnl::batch_normalization_backward(backward), {{DNNL_ARG_SRC, x},
                                                                 {DNNL_ARG_SCALE, scale},
                                                                 {DNNL_ARG_MEAN, mean},
                                                                 {DNNL_ARG_VARIANCE, variance},
                                                                 {DNNL_ARG_DIFF_DST, d},
                                                                 {DNNL_ARG_DIFF_SRC, d},
                                                                 {DNNL_ARG_DIFF_SCALE, d_scale},
                                                                 {DNNL_ARG_DIFF_SHIFT, d_offset}}));
      return d;
    });
    return y;
  }

  memory relu6(const memory& x) {
    const auto algorithm = dnnl::algorithm::eltwise_clip_v2_use_dst_for_bwd;
    const memory::desc desc = x.get_desc();
    const dnnl::eltwise_forward::primitive_desc forward(engine_, Kind::forward_training, algorithm, desc,
                                                        desc, 0, 6);
    forward_.push_back(step_of(dnnl::eltwise_forward(forward), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, x}}));
    links_.push_back([=, this](memory d) {
      d = gradient_as(d, desc);
      const dnnl::eltwise_backward::primitive_desc backward(engine_, algorithm, desc, desc, desc, 0, 6,
                                                            forward);
      backward_.push_back(step_of(dnnl::eltwise_backward(backward),
                                  {{DNNL_ARG_DST, x}, {DNNL_ARG_DIFF_DST, d}, {DNNL_ARG_DIFF_SRC, d}}));
      return d;
    });
    return x;
  }

  memory average(const memory& x) {
    const auto algorithm = dnnl::algorithm::pooling_avg_exclude_padding;
    const memory::desc desc = x.get_desc();
    const memory::dims dims = desc.get_dims();
    const memory::dims kernel = {dims[2], dims[3]};
    const memory::desc y_desc = {{dims[0], dims[1], 1, 1}, Type::f32, Tag::nhwc};
    const dnnl::pooling_forward::primitive_desc forward(engine_, Kind::forward_training, algorithm, desc,
                                                        y_desc, {1, 1}, kernel, {0, 0}, {0, 0}, {0, 0});
    const memory y = make(y_desc);
    forward_.push_back(step_of(dnnl::pooling_forward(forward), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}}));
    links_.push_back([=, this](memory d) {
      const dnnl::pooling_backward::primitive_desc backward(engine_, algorithm, desc, y_desc, {1, 1}, kernel,
                                                            {0, 0}, {0, 0}, {0, 0}, forward);
      const memory dy = gradient_as(d, y_desc);
      memory dx = make_gradient(desc);
      backward_.push_back(
          step_of(dnnl::pooling_backward(backward), {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_SRC, dx}}));
      return dx;
    });
    return y;
  }

  /// x is [batch, C, 1, 1] channels last, which lies as [batch, C] does.
  memory linear(const memory& x, const Linear& op) {
    const std::int64_t n = workload_->batch, c = x.get_desc().get_dims()[1], k = workload_->classes();
    const memory::desc flat({n, c}, Type::f32, Tag::nc), scores({n, k}, Type::f32, Tag::nc);
    const memory::desc w_desc({k, c}, Type::f32, Tag::oi), b_desc({k}, Type::f32, Tag::x);
    const dnnl::inner_product_forward::primitive_desc forward(engine_, Kind::forward_training, flat, w_desc,
                                                              b_desc, scores);
    const memory x_flat(flat, engine_, x.get_data_handle());
    const memory value = make(w_desc), bias = vector_of(op.bias);
    std::memcpy(value.get_data_handle(), op.weight.bytes().data(), op.weight.bytes().size());
    const memory dw = parameter(value, true), db = parameter(bias, false);
    const memory y = make(scores);
    forward_.push_back(step_of(
        dnnl::inner_product_forward(forward),
        {{DNNL_ARG_SRC, x_flat}, {DNNL_ARG_WEIGHTS, value}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}}));
    links_.push_back([=, this](memory d) {
      const dnnl::inner_product_backward_weights::primitive_desc weights(engine_, flat, w_desc, b_desc,
                                                                         scores, forward);
      backward_.push_back(step_of(dnnl::inner_product_backward_weights(weights), {{DNNL_ARG_SRC, x_flat},
                                                                                  {DNNL_ARG_DIFF_DST, d},
                                                                                  {DNNL_ARG_DIFF_WEIGHTS, dw},
                                                                                  {DNNL_ARG_DIFF_BIAS, db}}));
      const dnnl::inner_product_backward_data::primitive_desc data(engine_, flat, w_desc, scores, forward);
      const memory dx = make_gradient({{n, c, 1, 1}, Type::f32, Tag::nhwc});
      memory dx_flat(flat, engine_, DNNL_MEMORY_NONE);
      gradients_.emplace_back(dx_flat, next_);
      backward_.push_back(
          step_of(dnnl::inner_product_backward_data(data),
                  {{DNNL_ARG_DIFF_DST, d}, {DNNL_ARG_WEIGHTS, value}, {DNNL_ARG_DIFF_SRC, dx_flat}}));
      return dx;
    });
    return y;
  }

  const figures::Workload* workload_ = nullptr;
  bool channels_last_ = false;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Step> forward_;
  std::vector<Step> backward_;
  std::vector<std::function<memory(memory)>> links_;  ///< each appends a layer's backward steps
  std::vector<Parameter> parameters_;
  memory scores_;
  std::vector<float> d_scores_;
  std::vector<std::pair<memory, std::size_t>> gradients_;
  std::array<AlignedVector<std::byte>, 2> buffers_;
  std::size_t next_ = 0;
};

int run(std::span<char*> arguments) {
  const auto workload = figures::parse_workload(arguments);
  if (!workload) return fmt::print(stderr, "{}\n", workload.error().message), 2;
  const std::string_view layout = arguments.size() > 4 ? arguments[4] : "library";
  if (layout != "library" && layout != "channels-last")
    return fmt::print(stderr, "no such layout: {}; it is library or channels-last\n", layout), 2;
  omp_set_num_threads(workload->threads);
  try {
    Chain chain;
    if (const auto built = chain.build(*workload, layout == "channels-last"); !built)
      return fmt::print(stderr, "{}\n", built.error().message), 1;
    const dnnl_version_t& v = *dnnl::version();
    figures::print(fmt::format("oneDNN {}.{}.{} {}", v.major, v.minor, v.patch, layout), *workload,
                   figures::time_steps(chain, workload->seconds));
  } catch (const dnnl::error& e) {
    return fmt::print(stderr, "oneDNN refuses: {}\n", e.what()), 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1)); }
