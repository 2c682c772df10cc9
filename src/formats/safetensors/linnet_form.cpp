#include "formats/safetensors/linnet_form.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include <fmt/ranges.h>

#include "formats/metadata/json.h"
#include "formats/metadata/metadata.h"

namespace linnet::formats {
namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "linnet";
constexpr std::string_view kSchemaKey = "linnet.schema";
constexpr std::string_view kSchema = "1";
constexpr std::string_view kGraphKey = "linnet.graph";
constexpr int kMaxNumber = 1 << 16;  // kernels, strides, paddings and sides: as Graph allows

// ---- what both directions share: an operator's fields, each visited once

/// Calls f(key, constant) for each weight of an operator that may have some.
template <class F>
void for_each_constant(Op& op, F f) {
  const auto weighted = [&](auto& o) {
    f("weight", o.weight);
    f("bias", o.bias);
    f("weight_scale", o.weight_scale);
  };
  std::visit(Overloaded{[&](Convolution& o) { weighted(o); }, [&](Depthwise& o) { weighted(o); },
                        [&](Linear& o) { weighted(o); },
                        [&](BatchNorm& o) {
                          f("weight", o.scale);
                          f("bias", o.offset);
                          f("running_mean", o.mean);
                          f("running_var", o.variance);
                        },
                        [](auto&) {}},
             op);
}

/// Calls f(key, field) for each other field of an operator.
template <class F>
void for_each_field(Op& op, F f) {
  const auto sliding = [&](auto& o) {
    f("window", o.window);
    f("activation", o.activation);
    f("weight_zero_point", o.weight_zero_point);
  };
  std::visit(Overloaded{[&](Convolution& o) { sliding(o); }, [&](Depthwise& o) { sliding(o); },
                        [&](Linear& o) {
                          f("activation", o.activation);
                          f("weight_zero_point", o.weight_zero_point);
                        },
                        [&](BatchNorm& o) { f("epsilon", o.epsilon); },
                        [&](Activate& o) { f("activation", o.activation); },
                        [&](Add& o) { f("activation", o.activation); },
                        [&](Pad& o) { f("padding", o.padding); }, [](auto&) {}},
             op);
}

// ---- out

struct WriteField {
  Json& json;
  void operator()(const char* key, Activation a) const {
    if (a != Activation::kNone) json[key] = to_string(a);
  }
  void operator()(const char* key, float value) const { json[key] = value; }
  void operator()(const char* key, int zero_point) const {
    if (zero_point != 0) json[key] = zero_point;
  }
  void operator()(const char* key, const Padding& p) const { json[key] = {p.top, p.bottom, p.left, p.right}; }
  void operator()(const char*, const Window& w) const {
    json["kernel"] = {w.kernel_h, w.kernel_w};
    json["stride"] = {w.stride_h, w.stride_w};
    (*this)("padding", w.padding);
  }
};

Json graph_to_json(const Graph& graph, std::vector<NamedConstant>& tensors) {
  Json nodes = Json::array();
  for (NodeId id = 0; id < graph.size(); ++id) {
    Node node = graph[id];
    Json json = {{"name", node.name}, {"op", op_name(node.op)}};
    if (id == 0) json["shape"] = {node.shape.h, node.shape.w, node.shape.c};
    Json inputs = Json::array();
    for (const NodeId input : node.inputs) inputs.push_back(graph[input].name);
    if (!inputs.empty()) json["inputs"] = std::move(inputs);
    for_each_field(node.op, WriteField{json});
    if (const auto& q = node.quantization)
      json["quantization"] = {{"scale", q->scale}, {"zero_point", q->zero_point}};
    Json names = Json::array();
    for_each_constant(node.op, [&](const char* key, const Constant& constant) {
      if (constant.absent()) return;
      names.push_back(key);
      tensors.push_back({node.name + "." + key, constant});
    });
    if (!names.empty()) json["tensors"] = std::move(names);
    nodes.push_back(std::move(json));
  }
  // Those of four bytes first, so that a reader can view them in place.
  std::ranges::stable_partition(
      tensors, [](const NamedConstant& t) { return t.constant.type() != ElementType::kInt8; });
  return {{"name", graph.name},
          {"dialect", to_string(graph.dialect)},
          {"output", graph[graph.output].name},
          {"nodes", std::move(nodes)}};
}

// ---- in

Result<Activation> activation_named(const Json& value) {
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Activation::kHardSigmoid); ++i) {
    names.push_back(to_string(static_cast<Activation>(i)));
    if (value == names.back()) return static_cast<Activation>(i);
  }
  return fail("is {}, expected one of {}", shown(value), fmt::join(names, ", "));
}

Result<int> to_zero_point(const Json& value) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < -128 || value.get<std::int64_t>() > 127)
    return fail("is {}, expected an integer in [-128, 127]", shown(value));
  return value.get<int>();
}

/// What the values of an int8 node stand for; nothing for a float one.
Result<std::optional<Quantization>> read_quantization(const Json& node) {
  const Json* json = find(node, "quantization");
  if (!json) return std::nullopt;
  const Json* scale = find(*json, "scale");
  const Json* zero_point = find(*json, "zero_point");
  if (!scale || !zero_point)
    return fail("\"quantization\" is {}, expected a scale and a zero_point", shown(*json));
  Quantization q;
  LINNET_TRY(q.scale, to_float(*scale));
  LINNET_TRY(q.zero_point, to_zero_point(*zero_point));
  return q;
}

/// Reads `n` integers in [0, kMaxNumber].
template <std::size_t N>
Result<std::array<int, N>> integers(const Json& value) {
  std::array<int, N> numbers{};
  bool legal = value.is_array() && value.size() == N;
  for (std::size_t i = 0; legal && i < N; ++i) {
    legal = value[i].is_number_unsigned() && value[i].get<std::uint64_t>() <= kMaxNumber;
    if (legal) numbers[i] = value[i].get<int>();
  }
  if (!legal) return fail("is {}, expected {} integers in [0, {}]", shown(value), N, kMaxNumber);
  return numbers;
}

/// Fills an operator's fields from a node's JSON and remembers the first complaint.
class ReadField {
 public:
  explicit ReadField(const Json& json) : json_(json) {}

  void operator()(const char* key, Activation& a) {
    const Json* value = find(json_, key);
    if (!value) return;
    if (const auto read = activation_named(*value))
      a = *read;
    else
      note(key, std::unexpected(read.error()));
  }
  void operator()(const char* key, float& number) {
    if (const Json* value = required(key)) {
      if (const auto read = to_float(*value))
        number = *read;
      else
        note(key, std::unexpected(read.error()));
    }
  }
  void operator()(const char* key, int& zero_point) {
    if (const Json* value = find(json_, key)) {
      if (const auto read = to_zero_point(*value))
        zero_point = *read;
      else
        note(key, std::unexpected(read.error()));
    }
  }
  void operator()(const char* key, Padding& p) {
    const auto n = numbers<4>(key);
    p = {n[0], n[1], n[2], n[3]};
  }
  void operator()(const char*, Window& w) {
    const auto kernel = numbers<2>("kernel");
    const auto stride = numbers<2>("stride");
    w.kernel_h = kernel[0];
    w.kernel_w = kernel[1];
    w.stride_h = stride[0];
    w.stride_w = stride[1];
    (*this)("padding", w.padding);
  }

  const Result<void>& status() const { return status_; }

 private:
  const Json* required(const char* key) {
    const Json* value = find(json_, key);
    if (!value && status_) status_ = fail("\"{}\" is missing", key);
    return value;
  }
  template <std::size_t N>
  std::array<int, N> numbers(const char* key) {
    const Json* value = required(key);
    if (!value) return {};
    const auto read = integers<N>(*value);
    if (!read) note(key, std::unexpected(read.error()));
    return read.value_or(std::array<int, N>{});
  }
  void note(const char* key, const Result<void>& result) {
    if (status_ && !result) status_ = fail("\"{}\" {}", key, result.error().message);
  }

  const Json& json_;
  Result<void> status_;
};

template <std::size_t I = 0>
Result<Op> make_op(std::string_view name) {
  if constexpr (I == std::variant_size_v<Op>) {
    return fail("the operator \"{}\" is unknown to this version of Linnet", name);
  } else {
    Op op(std::in_place_index<I>);
    return op_name(op) == name ? Result<Op>(std::move(op)) : make_op<I + 1>(name);
  }
}

/// Tensors as Constants, each of which must be used.
class Weights {
 public:
  explicit Weights(const TensorMap& tensors) : tensors_(tensors) {}

  Result<Constant> take(const std::string& name) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return fail("the tensor \"{}\" is missing", name);
    const Tensor& tensor = found->second;
    std::vector<int> dims;
    for (const std::int64_t d : tensor.dims) {
      if (d < 1 || d > std::numeric_limits<int>::max())
        return fail("the tensor \"{}\" is {}, which is no weight", name, describe(tensor));
      dims.push_back(static_cast<int>(d));
    }
    auto constant = to_stored_constant(tensor, std::move(dims));
    if (!constant) return fail("the tensor \"{}\" {}", name, constant.error().message);
    ++taken_;
    return constant;
  }

  bool all_taken() const { return taken_ == tensors_.size(); }

 private:
  const TensorMap& tensors_;
  std::size_t taken_ = 0;
};

/// Sets `constant`s that "tensors" lists; the others stay absent.
Result<void> read_constants(const Json& json, Node& node, Weights& weights) {
  const Json* listed = find(json, "tensors");
  if (listed && !listed->is_array())
    return fail("\"tensors\" is {}, expected a list of names", shown(*listed));
  std::size_t wanted = listed ? listed->size() : 0;
  Result<void> status;
  for_each_constant(node.op, [&](const char* key, Constant& constant) {
    if (!status || !listed || std::ranges::find(*listed, Json(key)) == listed->end()) return;
    auto taken = weights.take(node.name + "." + key);
    if (!taken) {
      status = std::unexpected(taken.error());
      return;
    }
    constant = *std::move(taken);
    --wanted;
  });
  LINNET_CHECK(status);
  if (wanted != 0) return fail("\"tensors\" is {}, which do not belong to this operator", shown(*listed));
  return {};
}

using Ids = std::unordered_map<std::string, NodeId>;

Result<NodeId> node_called(const Json* name, const Ids& ids) {
  if (!name || !name->is_string()) return fail("{} is not a node's name", name ? shown(*name) : "nothing");
  const auto found = ids.find(name->get<std::string>());
  if (found == ids.end()) return fail("no node before it is called {}", shown(*name));
  return found->second;
}

Result<Node> read_node(const Json& json, const Graph& graph, const Ids& ids, Weights& weights) {
  Node node;
  LINNET_TRY(node.name, string_or(json, "name", ""));
  if (node.name.empty()) return fail("\"name\" is missing");
  LINNET_TRY(const std::string op, string_or(json, "op", ""));
  LINNET_TRY(node.op, make_op(op));
  if (const Json* inputs = find(json, "inputs")) {
    if (!inputs->is_array() || inputs->size() > 2)
      return fail("\"inputs\" is {}, expected a list of at most two names", shown(*inputs));
    for (const Json& input : *inputs) {
      LINNET_TRY(const NodeId id, node_called(&input, ids));
      node.inputs.push_back(id);
    }
  }
  ReadField fields(json);
  for_each_field(node.op, [&](const char* key, auto& field) { fields(key, field); });
  LINNET_CHECK(fields.status());
  LINNET_CHECK(read_constants(json, node, weights));
  LINNET_TRY(node.quantization, read_quantization(json));

  if (std::holds_alternative<Input>(node.op)) {
    const Json* shape = find(json, "shape");
    if (!shape) return fail("\"shape\" is missing");
    const auto hwc = integers<3>(*shape);
    if (!hwc) return fail("\"shape\" {}", hwc.error().message);
    node.shape = {(*hwc)[0], (*hwc)[1], (*hwc)[2]};
    return node;
  }
  std::vector<Shape> shapes;
  for (const NodeId input : node.inputs) shapes.push_back(graph[input].shape);
  LINNET_TRY(node.shape, infer_shape(node.op, shapes));
  return node;
}

Result<Graph> read_graph(const Json& json, const TensorMap& tensors) {
  Graph graph;
  Weights weights(tensors);
  LINNET_TRY(graph.name, string_or(json, "name", ""));
  LINNET_TRY(const std::string dialect_name, string_or(json, "dialect", to_string(Dialect::kUnknown)));
  const auto dialect = dialect_named(dialect_name);
  if (!dialect) return fail("\"dialect\" {}", dialect.error().message);
  graph.dialect = *dialect;
  const Json* nodes = find(json, "nodes");
  if (!nodes || !nodes->is_array()) return fail("\"nodes\" is missing");
  Ids ids;
  for (const Json& entry : *nodes) {
    auto node = read_node(entry, graph, ids, weights);
    if (!node) {
      const Json* name = find(entry, "name");
      return fail("node {}: {}", name ? shown(*name) : std::to_string(graph.size()), node.error().message);
    }
    if (!ids.emplace(node->name, graph.size()).second)
      return fail("node \"{}\": the name stands twice", node->name);
    graph.nodes.push_back(*std::move(node));
  }
  auto output = node_called(find(json, "output"), ids);
  if (!output) return fail("\"output\": {}", output.error().message);
  graph.output = *output;
  if (!weights.all_taken())
    return fail("holds tensors that belong to no node; it was not written by Linnet as it is");
  return graph;
}

/// Hands the metadata `key` to `read`, where there is one; the error names the key.
template <class Read>
Result<void> read_entry(const SafetensorsFile& file, std::string_view key, Read read) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) return {};
  const Result<void> result = read(found->second);
  if (!result) return fail("the metadata \"{}\": {}", key, result.error().message);
  return {};
}

Result<Graph> read_all(const SafetensorsFile& file) {
  const auto schema = file.metadata.find(kSchemaKey);
  if (schema == file.metadata.end() || schema->second != kSchema)
    return fail(
        "is in schema \"{}\" of Linnet's form; this version reads \"{}\": a newer Linnet wrote it, or it is "
        "damaged",
        schema == file.metadata.end() ? "" : schema->second, kSchema);
  if (!file.metadata.contains(kGraphKey)) return fail("the metadata \"{}\" is missing", kGraphKey);
  Graph graph;
  LINNET_CHECK(read_entry(file, kGraphKey, [&](std::string_view text) -> Result<void> {
    LINNET_TRY(const Json json, parse_json(text));
    LINNET_TRY(graph, read_graph(json, file.tensors));
    return {};
  }));
  LINNET_CHECK(read_entry(file, kLabelsKey, [&](std::string_view text) -> Result<void> {
    LINNET_TRY(graph.labels, labels_from_json(text));
    return {};
  }));
  LINNET_CHECK(read_entry(file, kPreprocessingKey, [&](std::string_view text) -> Result<void> {
    LINNET_TRY(graph.preprocessing, preprocessing_from_json(text));
    return {};
  }));
  LINNET_CHECK(validate(graph));
  return graph;
}

}  // namespace

bool is_linnet_form(const SafetensorsFile& file) {
  const auto format = file.metadata.find(kFormatKey);
  return format != file.metadata.end() && format->second == kFormat;
}

Result<Graph> graph_from_linnet_form(const SafetensorsFile& file, std::string_view path) {
  auto graph = read_all(file);
  if (!graph) return fail("{}: {}", path, graph.error().message);
  return graph;
}

Result<LinnetForm> linnet_form(const Graph& graph) {
  LINNET_CHECK(validate(graph));
  LinnetForm form;
  form.metadata.emplace(kFormatKey, kFormat);
  form.metadata.emplace(kSchemaKey, kSchema);
  try {
    form.metadata.emplace(kGraphKey, graph_to_json(graph, form.tensors).dump());
  } catch (const Json::exception&) {
    return fail("{}: the name of a node or of the graph is not UTF-8; rename it before writing", graph.name);
  }
  LINNET_TRY(auto entries, metadata_entries(graph));
  form.metadata.merge(entries);
  return form;
}

}  // namespace linnet::formats
