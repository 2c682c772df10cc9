// oneDNN by hand: a primitive a layer with its activation and residual sum fused, in float32, bf16 or int8.
//
// int8 is symmetric, what the library does best: values that never are negative become u8, others s8 with a
// scale of their own, so scores are close to Linnet's, not equal. Layouts are the library's choice or
// channels last throughout, whichever is faster. Buffers are shared by values that do not live at the same
// time.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <unordered_map>

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include "driver.h"
#include "graph/quantized.h"

namespace {

using namespace linnet;
using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;
using Arguments = std::unordered_map<int, memory>;

enum class Layout { kLibrary, kChannelsLast };

std::int64_t wide(int n) { return n; }

memory::dims dims_of(const Shape& s) { return {1, s.c, s.h, s.w}; }

/// A node's output. `scale` is of int8 alone: real = stored * scale.
struct Value {
  memory::desc desc = {};
  memory data = {};
  int buffer = -1;
  float scale = 1;
};

/// Memory for values, handed out while the network is built and allocated afterwards.
class Buffers {
 public:
  int take(std::size_t bytes) {
    int best = -1;
    for (int i = 0; i < static_cast<int>(sizes_.size()); ++i) {
      const auto u = static_cast<std::size_t>(i);
      if (!free_[u]) continue;
      if (best < 0 || waste(u, bytes) < waste(static_cast<std::size_t>(best), bytes)) best = i;
    }
    if (best < 0) {
      best = static_cast<int>(sizes_.size());
      sizes_.push_back(0);
      free_.push_back(true);
    }
    free_[static_cast<std::size_t>(best)] = false;
    sizes_[static_cast<std::size_t>(best)] = std::max(sizes_[static_cast<std::size_t>(best)], bytes);
    return best;
  }
  void give_back(int buffer) { free_[static_cast<std::size_t>(buffer)] = true; }
  void use(memory data, int buffer) { users_.emplace_back(std::move(data), buffer); }
  void allocate() {
    for (const std::size_t size : sizes_) storage_.emplace_back(size);
    for (auto& [data, buffer] : users_)
      data.set_data_handle(storage_[static_cast<std::size_t>(buffer)].data());
  }

 private:
  std::size_t waste(std::size_t i, std::size_t bytes) const {
    return sizes_[i] > bytes ? sizes_[i] - bytes : bytes - sizes_[i];
  }

  std::vector<std::size_t> sizes_;
  std::vector<bool> free_;
  std::vector<std::pair<memory, int>> users_;
  std::vector<AlignedVector<std::byte>> storage_;
};

class Network {
 public:
  Network(const Graph& graph, bool bf16, Layout layout)
      : graph_(graph), int8_(is_int8(graph)), bf16_(bf16), layout_(layout), uses_(count_uses(graph)) {
    last_.resize(graph.nodes.size());
    for (NodeId id = 0; id < graph.size(); ++id)
      for (const NodeId input : graph[id].inputs) last_[static_cast<std::size_t>(input)] = id;
    last_[static_cast<std::size_t>(graph.output)] = graph.size();
    done_.resize(graph.nodes.size());
    values_.resize(graph.nodes.size());
  }

  Result<void> build() {
    image_ = memory({dims_of(graph_.input_shape()), Type::f32, Tag::nhwc}, engine_, DNNL_MEMORY_NONE);
    values_[0].desc = image_.get_desc();
    values_[0].data = image_;
    values_[0].scale = 1;
    if (int8_ || bf16_) reorder_image();
    for (NodeId id = 1; id < graph_.size(); ++id) {
      if (!done_[static_cast<std::size_t>(id)]) {
        const auto result = node(id);
        if (!result) return fail("node \"{}\": {}", graph_[id].name, result.error().message);
      }
      for (const NodeId input : graph_[id].inputs) release(input, id);
    }
    const Value& scores = values_[static_cast<std::size_t>(graph_.output)];
    scores_ = scores.data;
    buffers_.allocate();
    graph_ = {};  // its weights are packed
    return {};
  }

  void run(const float* image, float* scores) {
    image_.set_data_handle(const_cast<float*>(image));
    for (auto& [primitive, arguments] : steps_) primitive.execute(stream_, arguments);
    stream_.wait();
    std::memcpy(scores, scores_.get_data_handle(), static_cast<std::size_t>(graph_classes()) * sizeof(float));
  }

 private:
  std::int64_t graph_classes() const { return scores_.get_desc().get_dims()[1]; }
  Value& value(NodeId id) { return values_[static_cast<std::size_t>(id)]; }
  memory::desc any(const memory::dims& dims, Type type) const {
    const bool fixed = layout_ == Layout::kChannelsLast && dims.size() == 4;
    return {dims, type, fixed ? Tag::nhwc : Tag::any};
  }

  /// What a node's values are stored as.
  Type type_of(NodeId id) const {
    if (id == graph_.output) return Type::f32;
    if (bf16_) return Type::bf16;
    if (!int8_) return Type::f32;
    return graph_[id].quantization->zero_point == -128 ? Type::u8 : Type::s8;
  }
  /// The scale that covers a node's range in that type.
  float scale_of(NodeId id, Type type) const {
    if (!int8_ || type == Type::f32) return 1;
    const Quantization& q = *graph_[id].quantization;
    const float lo = static_cast<float>(-128 - q.zero_point) * q.scale;
    const float hi = static_cast<float>(127 - q.zero_point) * q.scale;
    return type == Type::u8 ? hi / 255 : std::max(-lo, hi) / 127;
  }

  Value& create(NodeId id, const memory::desc& desc, float scale) {
    Value& v = value(id);
    v = {desc, memory(desc, engine_, DNNL_MEMORY_NONE), buffers_.take(desc.get_size()), scale};
    buffers_.use(v.data, v.buffer);
    return v;
  }
  void release(NodeId id, NodeId reader) {
    Value& v = value(id);
    if (last_[static_cast<std::size_t>(id)] != reader || v.buffer < 0) return;
    buffers_.give_back(v.buffer);
    v.buffer = -1;
  }

  memory constants(std::vector<float> values) {
    memory m({{static_cast<std::int64_t>(values.size())}, Type::f32, Tag::x}, engine_);
    std::memcpy(m.get_data_handle(), values.data(), values.size() * sizeof(float));
    return m;
  }

  void reorder_image() {
    const Type type = bf16_ ? Type::bf16 : Type::s8;
    const float scale = scale_of(0, type);
    dnnl::primitive_attr attributes;
    Arguments arguments = {{DNNL_ARG_FROM, image_}};
    if (int8_) {
      attributes.set_scales_mask(DNNL_ARG_DST, 0);
      arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST] = constants({scale});
    }
    const Value& v = create(0, {dims_of(graph_.input_shape()), type, Tag::nhwc}, scale);
    arguments[DNNL_ARG_TO] = v.data;
    const dnnl::reorder::primitive_desc desc(engine_, image_.get_desc(), engine_, v.desc, attributes);
    steps_.emplace_back(dnnl::reorder(desc), arguments);
  }

  /// The value of node `id` as a primitive wants it: itself, or a copy in another layout.
  memory as(NodeId id, const memory::desc& wanted) {
    Value& v = value(id);
    if (v.desc == wanted) return v.data;
    const memory::dims dims = v.desc.get_dims();
    const bool vector = dims[2] == 1 && dims[3] == 1;
    if (vector && v.desc.get_size() == wanted.get_size() &&
        v.buffer >= 0) {  // the same bytes in the same order
      memory view(wanted, engine_, DNNL_MEMORY_NONE);
      buffers_.use(view, v.buffer);
      return view;
    }
    memory copy(wanted, engine_);
    steps_.emplace_back(dnnl::reorder(v.data, copy), Arguments{{DNNL_ARG_FROM, v.data}, {DNNL_ARG_TO, copy}});
    return copy;
  }

  static void append(dnnl::post_ops& ops, Activation activation) {
    using dnnl::algorithm;
    switch (activation) {
      case Activation::kNone: return;
      case Activation::kRelu: return ops.append_eltwise(algorithm::eltwise_relu, 0, 0);
      case Activation::kRelu6: return ops.append_eltwise(algorithm::eltwise_clip, 0, 6);
      case Activation::kHardSwish: return ops.append_eltwise(algorithm::eltwise_hardswish, 1.0f / 6, 0.5f);
      case Activation::kHardSigmoid:
        return ops.append_eltwise(algorithm::eltwise_hardsigmoid, 1.0f / 6, 0.5f);
    }
  }

  /// The only reader of node `id`, or -1.
  NodeId only_reader(NodeId id) const {
    if (uses_[static_cast<std::size_t>(id)] != 1 || id == graph_.output) return -1;
    return last_[static_cast<std::size_t>(id)];
  }

  Result<void> node(NodeId id) {
    const Op& op = graph_[id].op;
    if (layer_weights(op)) return layer(id);
    if (std::holds_alternative<GlobalAveragePool>(op)) return pool(id);
    if (std::holds_alternative<Multiply>(op)) return multiply(id);
    return fail("a {} that no layer can take over has no form here", op_name(op));
  }

  /// A layer and what it takes over: an activation behind it, a residual sum into the other summand's memory.
  Result<void> layer(NodeId id) {
    const LayerWeights w = *layer_weights(graph_[id].op);
    if (w.weight_zero_point != 0) return fail("its weights have a zero point");
    NodeId out = id;
    dnnl::post_ops ops;
    append(ops, w.activation);
    NodeId summand = -1;
    for (NodeId reader = only_reader(id); reader >= 0; reader = only_reader(reader)) {
      if (const auto* alone = std::get_if<Activate>(&graph_[reader].op)) {
        append(ops, alone->activation);
      } else if (const auto* add = std::get_if<Add>(&graph_[reader].op); add && summand < 0) {
        const NodeId other = graph_[reader].inputs[graph_[reader].inputs[0] == out ? 1 : 0];
        if (other > id || last_[static_cast<std::size_t>(other)] != reader) break;
        ops.append_sum(value(other).scale);
        append(ops, add->activation);
        summand = other;
      } else {
        break;
      }
      out = reader;
      done_[static_cast<std::size_t>(reader)] = true;
    }
    const Type type = summand >= 0 ? value(summand).desc.get_data_type() : type_of(out);
    const float scale = scale_of(out, type);

    dnnl::primitive_attr attributes;
    attributes.set_post_ops(ops);
    const NodeId x = graph_[id].inputs[0];
    const bool grouped = std::holds_alternative<Depthwise>(graph_[id].op);
    Arguments arguments;
    if (int8_) {
      attributes.set_scales_mask(DNNL_ARG_SRC, 0);
      attributes.set_scales_mask(DNNL_ARG_WEIGHTS, grouped ? 3 : 1);
      arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC] = constants({value(x).scale});
      arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS] =
          constants({w.weight_scale.values().begin(), w.weight_scale.values().end()});
      if (type != Type::f32) {
        attributes.set_scales_mask(DNNL_ARG_DST, 0);
        arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST] = constants({scale});
      }
    }
    arguments[DNNL_ARG_BIAS] = constants(biases(id, w));
    const memory::desc dst = summand >= 0 ? value(summand).desc : any(dims_of(graph_[id].shape), type);
    return std::visit(
        Overloaded{
            [&](const Convolution& op) {
              return convolution(id, out, summand, op.window, false, dst, attributes, arguments, scale);
            },
            [&](const Depthwise& op) {
              return convolution(id, out, summand, op.window, true, dst, attributes, arguments, scale);
            },
            [&](const Linear&) { return inner_product(id, out, dst, attributes, arguments, scale); },
            [](const auto&) -> Result<void> { return fail("is no layer"); },
        },
        graph_[id].op);
  }

  std::vector<float> biases(NodeId id, const LayerWeights& w) const {
    std::vector<float> biases(static_cast<std::size_t>(w.channels), 0.0f);
    if (w.bias.absent()) return biases;
    for (std::size_t k = 0; k < biases.size(); ++k)
      biases[k] = int8_ ? static_cast<float>(w.bias.values<std::int32_t>()[k]) *
                              graph_[graph_[id].inputs[0]].quantization->scale * w.weight_scale.values()[k]
                        : w.bias.values()[k];
    return biases;
  }

  Type weight_type() const { return int8_ ? Type::s8 : bf16_ ? Type::bf16 : Type::f32; }

  /// A layer's weights, from the order of the graph, [K, R, S, C] or [R, S, C], into the primitive's.
  memory packed(const Constant& weight, const memory::dims& dims, const memory::dims& strides,
                const memory::desc& wanted) {
    const memory::desc desc(dims, int8_ ? Type::s8 : Type::f32, strides);
    memory from(desc, engine_, const_cast<std::byte*>(weight.bytes().data()));
    memory to(wanted, engine_);
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
    return to;
  }

  Result<void> convolution(NodeId id, NodeId out, NodeId summand, const Window& w, bool grouped,
                           const memory::desc& dst, const dnnl::primitive_attr& attributes,
                           Arguments arguments, float scale) {
    const NodeId x = graph_[id].inputs[0];
    const std::int64_t c = graph_[x].shape.c;
    const std::int64_t k = graph_[id].shape.c;
    const std::int64_t r = w.kernel_h;
    const std::int64_t s = w.kernel_w;
    const memory::dims dims = grouped ? memory::dims{c, 1, 1, r, s} : memory::dims{k, c, r, s};
    const memory::dims strides =
        grouped ? memory::dims{1, 1, 1, s * c, c} : memory::dims{r * s * c, 1, s * c, c};
    const auto describe = [&](const memory::desc& src) {
      return dnnl::convolution_forward::primitive_desc(
          engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src,
          {dims, weight_type(), Tag::any}, {{k}, Type::f32, Tag::x}, dst,
          {wide(w.stride_h), wide(w.stride_w)}, {wide(w.padding.top), wide(w.padding.left)},
          {wide(w.padding.bottom), wide(w.padding.right)}, attributes);
    };
    auto desc = describe(any(dims_of(graph_[x].shape), value(x).desc.get_data_type()));
    if (desc.src_desc() != value(x).desc) {
      const auto direct = describe(value(x).desc);
      const std::string how = direct.impl_info_str();
      if (how.find("ref") == how.npos && how.find("gemm") != 0) desc = direct;
    }
    arguments[DNNL_ARG_SRC] = as(x, desc.src_desc());
    arguments[DNNL_ARG_WEIGHTS] = packed(*weight_of(id), dims, strides, desc.weights_desc());
    return finish(dnnl::convolution_forward(desc), desc.dst_desc(), out, summand, arguments, scale);
  }

  Result<void> inner_product(NodeId id, NodeId out, const memory::desc& dst,
                             const dnnl::primitive_attr& attributes, Arguments arguments, float scale) {
    const NodeId x = graph_[id].inputs[0];
    const std::int64_t c = graph_[x].shape.c;
    const std::int64_t k = graph_[id].shape.c;
    const dnnl::inner_product_forward::primitive_desc desc(
        engine_, dnnl::prop_kind::forward_inference, {{1, c}, value(x).desc.get_data_type(), Tag::nc},
        {{k, c}, weight_type(), Tag::any}, {{k}, Type::f32, Tag::x}, {{1, k}, dst.get_data_type(), Tag::nc},
        attributes);
    memory::desc flat(dims_of(graph_[x].shape), value(x).desc.get_data_type(), Tag::nhwc);
    memory src = as(x, flat);
    arguments[DNNL_ARG_SRC] = view(src, desc.src_desc(), x);
    arguments[DNNL_ARG_WEIGHTS] = packed(*weight_of(id), {k, c}, {c, 1}, desc.weights_desc());
    const Value& v = create(out, {dims_of(graph_[id].shape), dst.get_data_type(), Tag::nhwc}, scale);
    arguments[DNNL_ARG_DST] = view(v.data, desc.dst_desc(), out);
    steps_.emplace_back(dnnl::inner_product_forward(desc), arguments);
    return {};
  }

  /// The same bytes under another description.
  memory view(const memory& data, const memory::desc& desc, NodeId id) {
    memory other(desc, engine_, DNNL_MEMORY_NONE);
    if (data.get_data_handle())
      other.set_data_handle(data.get_data_handle());
    else
      buffers_.use(other, value(id).buffer);
    return other;
  }

  const Constant* weight_of(NodeId id) const { return &layer_weights(graph_[id].op)->weight; }

  /// Adds the step. `into` is the value whose memory the output takes, since nobody else reads it any more,
  /// or -1.
  Result<void> finish(const dnnl::primitive& primitive, const memory::desc& dst, NodeId out, NodeId into,
                      Arguments arguments, float scale) {
    if (into >= 0) {
      Value& v = value(out);
      v = value(into);
      v.scale = scale;
      value(into).buffer = -1;
    } else {
      create(out, dst, scale);
    }
    arguments[DNNL_ARG_DST] = value(out).data;
    steps_.emplace_back(primitive, arguments);
    return {};
  }

  Result<void> pool(NodeId id) {
    const NodeId x = graph_[id].inputs[0];
    const Shape& s = graph_[x].shape;
    const Type type = value(x).desc.get_data_type();
    const float scale = scale_of(id, type);
    dnnl::primitive_attr attributes;
    if (int8_) {
      dnnl::post_ops ops;
      ops.append_eltwise(dnnl::algorithm::eltwise_linear, value(x).scale / scale, 0);
      attributes.set_post_ops(ops);
    }
    const dnnl::pooling_forward::primitive_desc desc(
        engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::pooling_avg_exclude_padding,
        value(x).desc, {dims_of(graph_[id].shape), type, Tag::any}, {1, 1}, {s.h, s.w}, {0, 0}, {0, 0},
        {0, 0}, attributes);
    const Value& v = create(id, desc.dst_desc(), scale);
    steps_.emplace_back(dnnl::pooling_forward(desc),
                        Arguments{{DNNL_ARG_SRC, value(x).data}, {DNNL_ARG_DST, v.data}});
    return {};
  }

  Result<void> multiply(NodeId id) {
    const NodeId x = graph_[id].inputs[0];
    const NodeId gate = graph_[id].inputs[1];
    const Type type = value(x).desc.get_data_type();
    const float scale = scale_of(id, type);
    dnnl::primitive_attr attributes;
    Arguments arguments;
    if (int8_) {
      attributes.set_scales_mask(DNNL_ARG_SRC_0, 0);
      arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC_0] =
          constants({value(x).scale * value(gate).scale / scale});
    }
    const dnnl::binary::primitive_desc desc(engine_, dnnl::algorithm::binary_mul, value(x).desc,
                                            value(gate).desc, value(x).desc, attributes);
    arguments[DNNL_ARG_SRC_0] = value(x).data;
    arguments[DNNL_ARG_SRC_1] = value(gate).data;
    const bool in_place = last_[static_cast<std::size_t>(x)] == id;
    return finish(dnnl::binary(desc), value(x).desc, id, in_place ? x : -1, arguments, scale);
  }

  Graph graph_;
  bool int8_;
  bool bf16_;
  Layout layout_;
  std::vector<int> uses_;
  std::vector<NodeId> last_;
  std::vector<bool> done_;
  std::vector<Value> values_;
  Buffers buffers_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  memory image_;
  memory scores_;
  std::vector<std::pair<dnnl::primitive, Arguments>> steps_;
};

class OneDnnEngine final : public bench::Engine {
 public:
  static Result<std::unique_ptr<bench::Engine>> make(const Graph& graph, const bench::Setup& setup) {
    omp_set_num_threads(setup.threads);
    auto engine = std::make_unique<OneDnnEngine>();
    double best = 0;
    auto chosen = Layout::kLibrary;
    for (const Layout layout : {Layout::kLibrary, Layout::kChannelsLast}) {
      LINNET_CHECK(engine->build(graph, setup.bf16, layout));
      const double seconds = engine->probe();
      if (best != 0 && seconds >= best) continue;
      best = seconds;
      chosen = layout;
    }
    if (chosen != Layout::kChannelsLast) LINNET_CHECK(engine->build(graph, setup.bf16, chosen));
    return engine;
  }

  Result<void> run(std::span<const float> image, std::span<float> scores) override {
    try {
      network_->run(image.data(), scores.data());
    } catch (const dnnl::error& e) {
      return fail("the run failed: {}", e.what());
    }
    return {};
  }

 private:
  Result<void> build(const Graph& graph, bool bf16, Layout layout) {
    network_.reset();
    image_.assign(static_cast<std::size_t>(graph.input_shape().size()), 0.5f);
    scores_.resize(static_cast<std::size_t>(graph.output_shape().size()));
    try {
      network_ = std::make_unique<Network>(graph, bf16, layout);
      return network_->build();
    } catch (const dnnl::error& e) {
      return fail("the library refuses it: {}", e.what());
    }
  }

  /// Seconds of a run, the best of some.
  double probe() {
    double best = 1e9;
    for (int i = 0; i < 20; ++i) {
      const auto before = std::chrono::steady_clock::now();
      network_->run(image_.data(), scores_.data());
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count());
    }
    return best;
  }

  std::unique_ptr<Network> network_;
  std::vector<float> image_;
  std::vector<float> scores_;
};

}  // namespace

int main(int argc, char** argv) { return linnet::bench::drive(argc, argv, "oneDNN", OneDnnEngine::make); }
