// XNNPACK: the network as one subgraph, float32, or int8 with a scale an output channel (qs8, qcint8
// weights).
#include <cmath>
#include <limits>
#include <map>

#include <pthreadpool.h>
#include <xnnpack.h>

#include "driver.h"
#include "graph/quantized.h"

namespace {

using namespace linnet;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Limits {
  float lo = -kInfinity;
  float hi = kInfinity;
};

Limits limits_of(Activation activation) {
  if (activation == Activation::kRelu) return {0, kInfinity};
  if (activation == Activation::kRelu6) return {0, 6};
  return {};
}

struct Deleter {
  void operator()(xnn_subgraph_t p) const { xnn_delete_subgraph(p); }
  void operator()(xnn_runtime_t p) const { xnn_delete_runtime(p); }
  void operator()(pthreadpool_t p) const { pthreadpool_destroy(p); }
};
using Subgraph = std::unique_ptr<xnn_subgraph, Deleter>;
using Runtime = std::unique_ptr<xnn_runtime, Deleter>;
using Pool = std::unique_ptr<pthreadpool, Deleter>;

/// What the subgraph's static values point to, alive as long as its runtime.
struct Statics {
  Graph graph;
  std::vector<std::unique_ptr<std::vector<float>>> floats;
  std::vector<std::unique_ptr<std::vector<std::int32_t>>> integers;
};

/// Defines the subgraph, node by node. A hard-sigmoid needs no operator of its own: the layer before it
/// computes clamp((x + 3) / 6, 0, 1), the division folded into its weights' scale.
class Builder {
 public:
  Builder(xnn_subgraph_t subgraph, Statics& statics)
      : subgraph_(subgraph),
        statics_(statics),
        graph_(statics.graph),
        int8_(is_int8(graph_)),
        uses_(count_uses(graph_)),
        values_(static_cast<std::size_t>(graph_.size()), XNN_INVALID_VALUE_ID) {}

  Result<void> build() {
    std::uint32_t image = 0;
    LINNET_CHECK(define(graph_.input_shape(), {}, 0, XNN_VALUE_FLAG_EXTERNAL_INPUT, image));
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const auto done = id == 0 ? input(image) : node(id);
      if (!done) return fail("node \"{}\": {}", graph_[id].name, done.error().message);
    }
    return {};
  }

 private:
  static Result<void> check(xnn_status status, const char* what) {
    if (status != xnn_status_success)
      return fail("XNNPACK does not take {}: status {}", what, static_cast<int>(status));
    return {};
  }

  std::uint32_t& value(NodeId id) { return values_[static_cast<std::size_t>(id)]; }
  std::uint32_t input_value(NodeId id, std::size_t i) { return value(graph_[id].inputs[i]); }
  const std::optional<Quantization>& quantization(NodeId id) const { return graph_[id].quantization; }

  Result<void> define(const Shape& s, const std::optional<Quantization>& q, std::uint32_t external,
                      std::uint32_t flags, std::uint32_t& id) {
    const std::size_t dims[] = {1, static_cast<std::size_t>(s.h), static_cast<std::size_t>(s.w),
                                static_cast<std::size_t>(s.c)};
    return check(
        q ? xnn_define_quantized_tensor_value(subgraph_, xnn_datatype_qint8, q->zero_point, q->scale, 4, dims,
                                              nullptr, external, flags, &id)
          : xnn_define_tensor_value(subgraph_, xnn_datatype_fp32, 4, dims, nullptr, external, flags, &id),
        "an activation");
  }

  /// The value that node `id` computes; the graph's scores leave as float32.
  Result<void> define_output(NodeId id, const std::optional<Quantization>& q) {
    if (id == graph_.output && !int8_)
      return define(graph_[id].shape, {}, 1, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, value(id));
    return define(graph_[id].shape, q, XNN_INVALID_VALUE_ID, 0, value(id));
  }

  Result<void> input(std::uint32_t image) {
    value(0) = image;
    if (!int8_) return {};
    LINNET_CHECK(define(graph_.input_shape(), quantization(0), XNN_INVALID_VALUE_ID, 0, value(0)));
    return check(xnn_define_unary(subgraph_, xnn_unary_convert, nullptr, image, value(0), 0), "a conversion");
  }

  Result<void> node(NodeId id) {
    if (value(id) != XNN_INVALID_VALUE_ID) return {};  // joined with the layer before
    const auto* const alone = std::get_if<Activate>(&graph_[id].op);
    const bool swish = alone && alone->activation == Activation::kHardSwish;
    LINNET_CHECK(layer_weights(graph_[id].op) ? layer(id) : define_output(id, quantization(id)));
    const std::uint32_t y = value(id);
    LINNET_CHECK(std::visit(
        Overloaded{
            [&](const Add& op) {
              const Limits limits = limits_of(op.activation);
              const xnn_binary_params params = {limits.lo, limits.hi};
              return check(xnn_define_binary(subgraph_, xnn_binary_add, &params, input_value(id, 0),
                                             input_value(id, 1), y, 0),
                           "an addition");
            },
            [&](const Multiply&) {
              return check(xnn_define_binary(subgraph_, xnn_binary_multiply, nullptr, input_value(id, 0),
                                             input_value(id, 1), y, 0),
                           "a product");
            },
            [&](const GlobalAveragePool&) {
              const std::int64_t axes[] = {1, 2};
              return check(xnn_define_static_reduce_v2(subgraph_, xnn_reduce_mean, 2, axes,
                                                       input_value(id, 0), y, XNN_FLAG_KEEP_DIMS),
                           "a mean");
            },
            [&](const Activate& op) -> Result<void> {
              if (swish) return unary_hardswish(input_value(id, 0), y);
              return fail("an activation {} that stands alone has no form here", to_string(op.activation));
            },
            [&](const auto& op) -> Result<void> {
              if (layer_weights(graph_[id].op)) return {};
              return fail("{} has no form here", op_name(op));
            },
        },
        graph_[id].op));
    if (!int8_ || id != graph_.output) return {};
    std::uint32_t scores = 1;
    LINNET_CHECK(define(graph_[id].shape, {}, 1, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, scores));
    return check(xnn_define_unary(subgraph_, xnn_unary_convert, nullptr, value(id), scores, 0),
                 "a conversion");
  }

  Result<void> unary_hardswish(std::uint32_t x, std::uint32_t y) {
    return check(xnn_define_unary(subgraph_, xnn_unary_hardswish, nullptr, x, y, 0), "a hard-swish");
  }

  /// The hard-sigmoid that alone reads node `id`, or -1.
  NodeId hard_sigmoid_behind(NodeId id) const {
    if (uses_[static_cast<std::size_t>(id)] != 1) return -1;
    for (NodeId reader = id + 1; reader < graph_.size(); ++reader) {
      const auto* const op = std::get_if<Activate>(&graph_[reader].op);
      if (op && op->activation == Activation::kHardSigmoid && graph_[reader].inputs[0] == id) return reader;
    }
    return -1;
  }

  Result<void> layer(NodeId id) {
    const LayerWeights w = *layer_weights(graph_[id].op);
    if (w.weight_zero_point != 0) return fail("its weights have a zero point");
    Limits limits = limits_of(w.activation);
    const NodeId sigmoid = hard_sigmoid_behind(id);
    const bool gate = w.activation == Activation::kHardSigmoid || sigmoid >= 0;
    if (gate) limits = {0, 1};

    std::uint32_t weight = 0;
    std::uint32_t bias = XNN_INVALID_VALUE_ID;
    LINNET_CHECK(int8_ ? int8_constants(id, w, gate, weight, bias) : float_constants(w, gate, weight, bias));

    const bool swish = w.activation == Activation::kHardSwish;
    LINNET_CHECK(swish ? define(graph_[id].shape, quantization(id), XNN_INVALID_VALUE_ID, 0, value(id))
                       : define_output(id, quantization(sigmoid >= 0 ? sigmoid : id)));
    LINNET_CHECK(layer_node(id, limits, weight, bias));
    if (sigmoid >= 0) value(sigmoid) = value(id);
    if (!swish) return {};
    const std::uint32_t before = value(id);
    LINNET_CHECK(define_output(id, quantization(id)));
    return unary_hardswish(before, value(id));
  }

  Result<void> layer_node(NodeId id, Limits limits, std::uint32_t weight, std::uint32_t bias) {
    const std::uint32_t x = input_value(id, 0);
    const std::uint32_t y = value(id);
    const auto c = static_cast<std::size_t>(graph_[graph_[id].inputs[0]].shape.c);
    const auto k = static_cast<std::size_t>(graph_[id].shape.c);
    const auto u = [](int n) { return static_cast<std::uint32_t>(n); };
    return std::visit(
        Overloaded{
            [&](const Convolution& op) {
              const Window& w = op.window;
              const Padding& p = w.padding;
              return check(
                  xnn_define_convolution_2d(subgraph_, u(p.top), u(p.right), u(p.bottom), u(p.left),
                                            u(w.kernel_h), u(w.kernel_w), u(w.stride_h), u(w.stride_w), 1, 1,
                                            1, c, k, limits.lo, limits.hi, x, weight, bias, y, 0),
                  "a convolution");
            },
            [&](const Depthwise& op) {
              const Window& w = op.window;
              const Padding& p = w.padding;
              return check(xnn_define_depthwise_convolution_2d(subgraph_, u(p.top), u(p.right), u(p.bottom),
                                                               u(p.left), u(w.kernel_h), u(w.kernel_w),
                                                               u(w.stride_h), u(w.stride_w), 1, 1, 1, c,
                                                               limits.lo, limits.hi, x, weight, bias, y, 0),
                           "a depthwise convolution");
            },
            [&](const Linear&) {
              return check(xnn_define_fully_connected(subgraph_, limits.lo, limits.hi, x, weight, bias, y, 0),
                           "a linear layer");
            },
            [](const auto&) -> Result<void> { return fail("is no layer"); },
        },
        graph_[id].op);
  }

  std::vector<std::size_t> weight_dims(const LayerWeights& w) const {
    std::vector<std::size_t> dims(w.weight.dims().begin(), w.weight.dims().end());
    if (w.channels_last) dims.insert(dims.begin(), 1);
    return dims;
  }

  std::vector<float>& keep(std::vector<float> values) {
    return *statics_.floats.emplace_back(std::make_unique<std::vector<float>>(std::move(values)));
  }

  Result<void> float_constants(const LayerWeights& w, bool gate, std::uint32_t& weight, std::uint32_t& bias) {
    const float* weights = w.weight.values().data();
    const float* biases = w.bias.absent() ? nullptr : w.bias.values().data();
    if (gate) {
      std::vector<float> scaled(w.weight.values().begin(), w.weight.values().end());
      for (float& x : scaled) x /= 6;
      std::vector<float> moved(static_cast<std::size_t>(w.channels), 0.5f);
      for (std::size_t k = 0; biases && k < moved.size(); ++k) moved[k] += biases[k] / 6;
      weights = keep(std::move(scaled)).data();
      biases = keep(std::move(moved)).data();
    }
    const std::vector<std::size_t> dims = weight_dims(w);
    LINNET_CHECK(check(xnn_define_tensor_value(subgraph_, xnn_datatype_fp32, dims.size(), dims.data(),
                                               weights, XNN_INVALID_VALUE_ID, 0, &weight),
                       "weights"));
    if (!biases) return {};
    const std::size_t channels[] = {static_cast<std::size_t>(w.channels)};
    return check(xnn_define_tensor_value(subgraph_, xnn_datatype_fp32, 1, channels, biases,
                                         XNN_INVALID_VALUE_ID, 0, &bias),
                 "a bias");
  }

  Result<void> int8_constants(NodeId id, const LayerWeights& w, bool gate, std::uint32_t& weight,
                              std::uint32_t& bias) {
    std::vector<float>& scales = keep({w.weight_scale.values().begin(), w.weight_scale.values().end()});
    std::vector<float>& bias_scales = keep(std::vector<float>(scales.size()));
    auto& biases =
        *statics_.integers.emplace_back(std::make_unique<std::vector<std::int32_t>>(scales.size(), 0));
    const float x = quantization(graph_[id].inputs[0])->scale;
    for (std::size_t k = 0; k < scales.size(); ++k) {
      if (!w.bias.absent()) biases[k] = w.bias.values<std::int32_t>()[k];
      if (gate) {
        biases[k] += static_cast<std::int32_t>(std::lround(3 / (x * scales[k])));
        scales[k] /= 6;
      }
      bias_scales[k] = x * scales[k];
    }
    const std::vector<std::size_t> dims = weight_dims(w);
    LINNET_CHECK(check(
        xnn_define_channelwise_quantized_tensor_value(
            subgraph_, xnn_datatype_qcint8, scales.data(), dims.size(), w.channels_last ? dims.size() - 1 : 0,
            dims.data(), w.weight.bytes().data(), XNN_INVALID_VALUE_ID, 0, &weight),
        "weights"));
    const std::size_t channels[] = {scales.size()};
    return check(xnn_define_channelwise_quantized_tensor_value(subgraph_, xnn_datatype_qcint32,
                                                               bias_scales.data(), 1, 0, channels,
                                                               biases.data(), XNN_INVALID_VALUE_ID, 0, &bias),
                 "a bias");
  }

  xnn_subgraph_t subgraph_;
  Statics& statics_;
  const Graph& graph_;
  bool int8_;
  std::vector<int> uses_;
  std::vector<std::uint32_t> values_;
};

class XnnpackEngine final : public bench::Engine {
 public:
  static Result<std::unique_ptr<bench::Engine>> make(const Graph& graph, const bench::Setup& setup) {
    if (setup.bf16) return fail("bf16 convolutions are not among its operators");
    if (xnn_initialize(nullptr) != xnn_status_success) return fail("does not run on this machine");
    auto engine = std::make_unique<XnnpackEngine>();
    engine->statics_.graph = graph;
    xnn_subgraph_t subgraph = nullptr;
    if (xnn_create_subgraph(2, 0, &subgraph) != xnn_status_success) return fail("no memory for a subgraph");
    const Subgraph owner(subgraph);
    LINNET_CHECK(Builder(subgraph, engine->statics_).build());
    if (setup.threads > 1) engine->pool_.reset(pthreadpool_create(static_cast<std::size_t>(setup.threads)));
    xnn_runtime_t runtime = nullptr;
    if (xnn_create_runtime_v2(subgraph, engine->pool_.get(), 0, &runtime) != xnn_status_success)
      return fail("the network is refused as a whole");
    engine->runtime_.reset(runtime);
    if (xnn_reshape_runtime(runtime) != xnn_status_success) return fail("the network's shapes are refused");
    return engine;
  }

  Result<void> run(std::span<const float> image, std::span<float> scores) override {
    if (image.data() != image_ || scores.data() != scores_) {
      image_ = image.data();
      scores_ = scores.data();
      const xnn_external_value externals[] = {{0, const_cast<float*>(image_)}, {1, scores_}};
      if (xnn_setup_runtime_v2(runtime_.get(), 2, externals) != xnn_status_success)
        return fail("the buffers are refused");
    }
    if (xnn_invoke_runtime(runtime_.get()) != xnn_status_success) return fail("the run failed");
    return {};
  }

 private:
  Statics statics_;
  Pool pool_;
  Runtime runtime_;
  const float* image_ = nullptr;
  float* scores_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) { return linnet::bench::drive(argc, argv, "XNNPACK", XnnpackEngine::make); }
