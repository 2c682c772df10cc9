#include "formats/onnx/writer.h"

#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "formats/onnx/metadata.h"
#include "graph/quantized.h"

namespace linnet::formats {
namespace onnx {
namespace {

using onnx_schema::AttributeProto;
using onnx_schema::GraphProto;
using onnx_schema::ModelProto;
using onnx_schema::NodeProto;
using onnx_schema::TensorProto;

// HardSwish exists since opset 14, which belongs to IR version 7 (ONNX, docs/Versioning.md).
constexpr std::int64_t kOpset = 14;
constexpr std::int64_t kIrVersion = 7;

/// OIHW from KRSC, and C1RS from RSC: [outer, taps, inner] as [outer, inner, taps].
template <class T>
AlignedVector<T> channels_first(std::span<const T> values, int outer, int taps, int inner) {
  AlignedVector<T> result;
  result.reserve(values.size());
  for (int k = 0; k < outer; ++k)
    for (int c = 0; c < inner; ++c)
      for (int t = 0; t < taps; ++t)
        result.push_back(values[(static_cast<std::size_t>(k) * static_cast<std::size_t>(taps) +
                                 static_cast<std::size_t>(t)) *
                                    static_cast<std::size_t>(inner) +
                                static_cast<std::size_t>(c)]);
  return result;
}

class Writer {
 public:
  explicit Writer(const Graph& graph) : graph_(graph), out_(*model_.mutable_graph()) {}

  Result<ModelProto> write() && {
    model_.set_ir_version(kIrVersion);
    model_.set_producer_name(std::string(kProducer));
    model_.add_opset_import()->set_version(kOpset);
    out_.set_name(graph_.name);
    for (const Node& node : graph_.nodes) names_.insert(node.name);
    values_.resize(graph_.nodes.size());
    scales_.resize(graph_.nodes.size());
    for (NodeId id = 0; id < graph_.size(); ++id) write_node(id);
    write_ends();
    LINNET_CHECK(write_metadata(graph_, model_));
    return std::move(model_);
  }

 private:
  /// A node's output under ONNX's axes: as an image (NCHW), or as a vector (NC). A vector that is read as
  /// both is written as both, once. In an int8 graph these are the integers.
  struct Names {
    std::string image;
    std::string vector;
  };

  /// The constants that a node's QuantizeLinear and DequantizeLinears share.
  struct Scale {
    std::string scale;
    std::string zero_point;
  };

  std::string unique(std::string name) {
    const std::string wanted = name;
    for (int i = 1; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
    return name;
  }

  NodeProto& add(std::string_view op_type, const std::string& name, std::vector<std::string> inputs,
                 const std::string& output) {
    NodeProto& node = *out_.add_node();
    for (std::string& input : inputs) node.add_input(std::move(input));
    node.add_output(output);
    node.set_name(name);
    node.set_op_type(std::string(op_type));
    return node;
  }

  static AttributeProto& attribute(NodeProto& node, std::string_view name,
                                   AttributeProto::AttributeType type) {
    AttributeProto& a = *node.add_attribute();
    a.set_name(std::string(name));
    a.set_type(type);
    return a;
  }
  static void set(NodeProto& node, std::string_view name, std::int64_t value) {
    attribute(node, name, AttributeProto::INT).set_i(value);
  }
  static void set(NodeProto& node, std::string_view name, float value) {
    attribute(node, name, AttributeProto::FLOAT).set_f(value);
  }
  static void set(NodeProto& node, std::string_view name, std::initializer_list<int> values) {
    AttributeProto& a = attribute(node, name, AttributeProto::INTS);
    for (const int v : values) a.add_ints(v);
  }

  std::string constant(const std::string& name, TensorProto::DataType type,
                       std::initializer_list<std::int64_t> dims, const void* values, std::size_t bytes) {
    TensorProto& tensor = *out_.add_initializer();
    for (const std::int64_t d : dims) tensor.add_dims(d);
    tensor.set_data_type(type);
    tensor.set_name(name);
    tensor.set_raw_data(values, bytes);
    return name;
  }
  template <Element T>
  std::string constant(const std::string& name, std::initializer_list<std::int64_t> dims,
                       std::span<const T> values) {
    constexpr TensorProto::DataType kType = std::is_same_v<T, float>         ? TensorProto::FLOAT
                                            : std::is_same_v<T, std::int8_t> ? TensorProto::INT8
                                                                             : TensorProto::INT32;
    return constant(unique(name), kType, dims, values.data(), values.size_bytes());
  }
  template <Element T>
  std::string constant(const std::string& name, std::initializer_list<std::int64_t> dims,
                       const std::vector<T>& values) {
    return constant(name, dims, std::span<const T>(values));
  }
  std::string constant(const std::string& name, std::span<const std::int64_t> values) {
    return constant(unique(name), TensorProto::INT64, {static_cast<std::int64_t>(values.size())},
                    values.data(), values.size_bytes());
  }

  /// The value as an image or as a vector, converted where it exists only as the other.
  const std::string& image(NodeId id) {
    Names& names = values_[static_cast<std::size_t>(id)];
    if (names.image.empty()) {
      if (axes_.empty()) axes_ = constant("image_axes", std::vector<std::int64_t>{2, 3});
      const std::string name = unique(graph_[id].name + ".image");
      add("Unsqueeze", name, {names.vector, axes_}, name);
      names.image = name;
    }
    return names.image;
  }
  const std::string& vector(NodeId id) {
    Names& names = values_[static_cast<std::size_t>(id)];
    if (names.vector.empty()) {
      const std::string name = unique(graph_[id].name + ".vector");
      set(add("Flatten", name, {names.image}, name), "axis", std::int64_t{1});
      names.vector = name;
    }
    return names.vector;
  }
  bool is_vector(NodeId id) const { return values_[static_cast<std::size_t>(id)].image.empty(); }

  /// The same as numbers: in an int8 graph behind a DequantizeLinear, of which each value has one.
  std::string image_numbers(NodeId id) { return numbers(id, image(id)); }
  std::string vector_numbers(NodeId id) { return numbers(id, vector(id)); }
  std::string numbers(NodeId id) { return is_vector(id) ? vector_numbers(id) : image_numbers(id); }
  std::string numbers(NodeId id, const std::string& value) {
    if (!graph_[id].quantization) return value;
    std::string& name = dequantized_[value];
    if (name.empty()) {
      name = unique(graph_[id].name + ".dequantized");
      const Scale& scale = scales_[static_cast<std::size_t>(id)];
      add("DequantizeLinear", name, {value, scale.scale, scale.zero_point}, name);
    }
    return name;
  }

  /// The integers of node `id` from its numbers; `name` is that of the QuantizeLinear.
  std::string quantize(NodeId id, const std::string& name, const std::string& real) {
    const Node& node = graph_[id];
    Scale& scale = scales_[static_cast<std::size_t>(id)];
    scale.scale = constant(node.name + ".scale", {}, std::vector<float>{node.quantization->scale});
    scale.zero_point =
        constant(node.name + ".zero_point", {},
                 std::vector<std::int8_t>{static_cast<std::int8_t>(node.quantization->zero_point)});
    const std::string result = unique(node.name + ".quantized");
    add("QuantizeLinear", name, {real, scale.scale, scale.zero_point}, result);
    return result;
  }

  void activation(Activation activation, const std::string& name, const std::string& input,
                  const std::string& output) {
    switch (activation) {
      case Activation::kNone: add("Identity", name, {input}, output); break;
      case Activation::kRelu: add("Relu", name, {input}, output); break;
      case Activation::kRelu6:
        if (six_.empty()) {
          zero_ = constant("relu6_low", {}, std::vector<float>{0});
          six_ = constant("relu6_high", {}, std::vector<float>{6});
        }
        add("Clip", name, {input, zero_, six_}, output);
        break;
      case Activation::kHardSwish: add("HardSwish", name, {input}, output); break;
      case Activation::kHardSigmoid: {
        NodeProto& node = add("HardSigmoid", name, {input}, output);
        set(node, "alpha", 1.0f / 6.0f);
        set(node, "beta", 0.5f);
        break;
      }
    }
  }

  /// Adds a node that may have an activation of its own, which ONNX writes as a node after it.
  NodeProto& add_activated(std::string_view op_type, const Node& node, std::vector<std::string> inputs,
                           Activation own) {
    if (own == Activation::kNone) return add(op_type, node.name, std::move(inputs), node.name);
    const std::string before = unique(node.name + ".linear");
    const int index = out_.node_size();
    add(op_type, node.name, std::move(inputs), before);
    activation(own, unique(node.name + ".activation"), before, node.name);
    return *out_.mutable_node(index);
  }

  void write_window(NodeProto& node, const Window& window, int group) {
    const Padding& p = window.padding;
    set(node, "dilations", {1, 1});
    set(node, "group", std::int64_t{group});
    set(node, "kernel_shape", {window.kernel_h, window.kernel_w});
    set(node, "pads", {p.top, p.left, p.bottom, p.right});
    set(node, "strides", {window.stride_h, window.stride_w});
  }

  /// The inputs of a layer: x, the weight under ONNX's dimensions, in which the output channels come first,
  /// and the bias. `arrange` brings a span of floats or of int8 into ONNX's order.
  template <class Arrange>
  std::vector<std::string> weighted(const Node& node, std::string x, std::initializer_list<std::int64_t> dims,
                                    Arrange arrange) {
    const LayerWeights layer = *layer_weights(node.op);
    if (node.quantization)
      return weighted_int8(node, std::move(x), dims, layer, arrange(layer.weight.values<std::int8_t>()));
    const AlignedVector<float> weight = arrange(layer.weight.values());
    std::vector<std::string> inputs = {std::move(x)};
    inputs.push_back(constant(node.name + ".weight", dims, std::span<const float>(weight)));
    if (!layer.bias.absent())
      inputs.push_back(constant(node.name + ".bias", {layer.channels}, layer.bias.values()));
    return inputs;
  }

  std::vector<std::string> weighted_int8(const Node& node, std::string x,
                                         std::initializer_list<std::int64_t> dims, const LayerWeights& layer,
                                         const AlignedVector<std::int8_t>& weight) {
    const auto dequantize = [&](const std::string& name, std::vector<std::string> inputs) {
      set(add("DequantizeLinear", name, std::move(inputs), name), "axis", std::int64_t{0});
      return name;
    };
    const std::int64_t k = layer.channels;
    const std::span<const float> scales = layer.weight_scale.values();
    const std::vector<std::int8_t> zero_points(scales.size(),
                                               static_cast<std::int8_t>(layer.weight_zero_point));
    std::vector<std::string> inputs = {std::move(x)};
    inputs.push_back(dequantize(unique(node.name + ".weight.dequantized"),
                                {constant(node.name + ".weight", dims, std::span<const std::int8_t>(weight)),
                                 constant(node.name + ".weight.scale", {k}, scales),
                                 constant(node.name + ".weight.zero_point", {k}, zero_points)}));
    if (layer.bias.absent()) return inputs;
    std::vector<float> units;
    for (const float scale : scales) units.push_back(graph_[node.inputs[0]].quantization->scale * scale);
    inputs.push_back(dequantize(unique(node.name + ".bias.dequantized"),
                                {constant(node.name + ".bias", {k}, layer.bias.values<std::int32_t>()),
                                 constant(node.name + ".bias.scale", {k}, units)}));
    return inputs;
  }

  void write_node(NodeId id) {
    const Node& node = graph_[id];
    // Most operators give an image where they read one; the others say so below.
    Names& names = values_[static_cast<std::size_t>(id)];
    const bool reads_vector = !node.inputs.empty() && is_vector(node.inputs[0]);
    std::string real = node.name;  // the output as the operator computes it
    std::visit(
        Overloaded{
            [](const Input&) {},
            [&](const Convolution& op) {
              const auto& d = op.weight.dims();
              auto inputs = weighted(node, image_numbers(node.inputs[0]), {d[0], d[3], d[1], d[2]},
                                     [&](auto w) { return channels_first(w, d[0], d[1] * d[2], d[3]); });
              write_window(add_activated("Conv", node, std::move(inputs), op.activation), op.window, 1);
            },
            [&](const Depthwise& op) {
              const auto& d = op.weight.dims();
              auto inputs = weighted(node, image_numbers(node.inputs[0]), {d[2], 1, d[0], d[1]},
                                     [&](auto w) { return channels_first(w, 1, d[0] * d[1], d[2]); });
              write_window(add_activated("Conv", node, std::move(inputs), op.activation), op.window, d[2]);
            },
            [&](const Linear& op) {
              const auto& d = op.weight.dims();
              auto inputs = weighted(
                  node, vector_numbers(node.inputs[0]), {d[0], d[1]},
                  []<class T>(std::span<const T> w) { return AlignedVector<T>(w.begin(), w.end()); });
              set(add_activated("Gemm", node, std::move(inputs), op.activation), "transB", std::int64_t{1});
            },
            [&](const BatchNorm& op) {
              std::vector<std::string> inputs = {numbers(node.inputs[0])};
              const std::int64_t c = node.shape.c;
              inputs.push_back(constant(node.name + ".weight", {c}, op.scale.values()));
              inputs.push_back(constant(node.name + ".bias", {c}, op.offset.values()));
              inputs.push_back(constant(node.name + ".running_mean", {c}, op.mean.values()));
              inputs.push_back(constant(node.name + ".running_var", {c}, op.variance.values()));
              set(add("BatchNormalization", node.name, std::move(inputs), node.name), "epsilon", op.epsilon);
            },
            [&](const Activate& op) {
              if (node.quantization && op.activation == Activation::kNone)
                real = numbers(node.inputs[0]);  // and rounded anew
              else
                activation(op.activation, node.name, numbers(node.inputs[0]), node.name);
            },
            [&](const Add& op) {
              // Two vectors are added as vectors, anything else as images.
              const bool vectors = reads_vector && is_vector(node.inputs[1]);
              std::vector<std::string> inputs;
              for (const NodeId input : node.inputs)
                inputs.push_back(vectors ? vector_numbers(input) : image_numbers(input));
              add_activated("Add", node, std::move(inputs), op.activation);
            },
            [&](const Multiply&) {
              add("Mul", node.name, {image_numbers(node.inputs[0]), image_numbers(node.inputs[1])},
                  node.name);
            },
            [&](const GlobalAveragePool&) {
              add("GlobalAveragePool", node.name, {image_numbers(node.inputs[0])}, node.name);
            },
            [&](const Pad& op) {
              const Padding& p = op.padding;
              const auto pads =
                  constant(node.name + ".pads",
                           std::vector<std::int64_t>{0, 0, p.top, p.left, 0, 0, p.bottom, p.right});
              add("Pad", node.name, {image_numbers(node.inputs[0]), pads}, node.name);
            },
            [&](const Identity&) { add("Identity", node.name, {numbers(node.inputs[0])}, node.name); },
            [&](const Softmax&) {
              set(add("Softmax", node.name, {numbers(node.inputs[0])}, node.name), "axis", std::int64_t{1});
            },
        },
        node.op);
    const bool keeps_axes =
        std::holds_alternative<BatchNorm>(node.op) || std::holds_alternative<Activate>(node.op) ||
        std::holds_alternative<Identity>(node.op) || std::holds_alternative<Softmax>(node.op);
    const bool adds_vectors =
        std::holds_alternative<Add>(node.op) && reads_vector && is_vector(node.inputs[1]);
    // A requantization alone has no operator to bear the node's name.
    std::string output = real;
    if (node.quantization)
      output = quantize(id, real == node.name ? unique(node.name + ".quantize") : node.name, real);
    if (std::holds_alternative<Linear>(node.op) || (keeps_axes && reads_vector) || adds_vectors)
      names.vector = output;
    else
      names.image = output;
  }

  void write_ends() {
    const auto describe = [](onnx_schema::ValueInfoProto& value, const std::string& name,
                             std::vector<int> dims) {
      value.set_name(name);
      auto& type = *value.mutable_type()->mutable_tensor_type();
      type.set_elem_type(TensorProto::FLOAT);
      type.mutable_shape()->add_dim()->set_dim_param("N");
      for (const int d : dims) type.mutable_shape()->add_dim()->set_dim_value(d);
    };
    const Shape& in = graph_.input_shape();
    describe(*out_.add_input(), graph_.nodes[0].name, {in.c, in.h, in.w});

    const Shape& scores = graph_.output_shape();
    const bool probabilities = std::holds_alternative<Softmax>(graph_[graph_.output].op);
    const std::string last =
        scores.pixels() == 1 ? vector_numbers(graph_.output) : image_numbers(graph_.output);
    const std::string name = unique(probabilities ? "probabilities" : "logits");
    // The output has a name of its own, so that no node must give up its own for it.
    add("Identity", unique(name + ".output"), {last}, name);
    if (scores.pixels() == 1)
      describe(*out_.add_output(), name, {scores.c});
    else
      describe(*out_.add_output(), name, {scores.c, scores.h, scores.w});
  }

  const Graph& graph_;
  ModelProto model_;
  GraphProto& out_;
  std::unordered_set<std::string> names_;
  std::vector<Names> values_;
  std::vector<Scale> scales_;                                 // in an int8 graph, by node
  std::unordered_map<std::string, std::string> dequantized_;  // numbers by the name of their integers
  std::string zero_, six_, axes_;
};

}  // namespace
}  // namespace onnx

Result<std::string> onnx_bytes(const Graph& graph) {
  LINNET_CHECK(validate(graph));
  LINNET_TRY(const auto model, onnx::Writer(graph).write());
  const std::size_t size = model.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return fail("{}: {} bytes, more than the 2 GB that an ONNX file may have; write safetensors instead",
                graph.name, size);
  std::string bytes;
  bytes.reserve(size);
  if (!model.SerializeToString(&bytes))
    return fail("{}: protobuf cannot write it as ONNX; write safetensors instead", graph.name);
  return bytes;
}

Result<void> write_onnx(const Graph& graph, const std::filesystem::path& path) {
  LINNET_TRY(const std::string bytes, onnx_bytes(graph));
  return write_file(path, bytes);
}

}  // namespace linnet::formats
